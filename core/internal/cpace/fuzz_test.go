package cpace

import (
	"bytes"
	"errors"
	"testing"
)

func FuzzPeerShare(f *testing.F) {
	v := load(f)
	for _, share := range []vector{v.Exchange.shareA, v.Exchange.shareB, v.Points.valid, v.Points.Invalid1, v.Points.Invalid2} {
		f.Add([]byte(share), []byte("ad"))
	}
	f.Add([]byte{}, []byte{})
	f.Add(bytes.Repeat([]byte{0xff}, fieldSize), bytes.Repeat([]byte{0xff}, 300))
	f.Add(bytes.Repeat([]byte{1}, fieldSize+1), []byte(nil))
	f.Fuzz(func(t *testing.T, share, ad []byte) {
		yb, b, errB := Respond([]byte("481920"), []byte("ci"), []byte("sid"), []byte("adb"), share, ad)
		e, err := Start([]byte("481920"), []byte("ci"), []byte("sid"), []byte("ada"))
		if err != nil {
			t.Fatal(err)
		}
		a, errA := e.Finish(share, ad)
		if (errA == nil) != (errB == nil) {
			t.Fatalf("the sides disagree about a share: %v and %v", errA, errB)
		}
		if errA != nil {
			if !errors.Is(errA, ErrInvalidShare) || !errors.Is(errB, ErrInvalidShare) {
				t.Fatalf("refused with %v and %v, want ErrInvalidShare", errA, errB)
			}
			return
		}
		if len(share) != fieldSize || isIdentity(share) || isIdentity(yb) {
			t.Fatalf("share %x was taken", share)
		}
		if b.Verify(a.Tag()) == nil {
			t.Fatal("two unrelated exchanges agree")
		}
	})
}
