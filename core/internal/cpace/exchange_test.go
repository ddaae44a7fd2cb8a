package cpace

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha512"
	"errors"
	"slices"
	"testing"

	"github.com/gtank/ristretto255"
)

// party is what one side puts into an exchange.
type party struct{ password, ci, sid, ad string }

var honest = party{password: "481920", ci: "channel", sid: "0123456789abcdef", ad: "ad"}

// run is an exchange in which the responder believes what it is told of the
// initiator's associated data.
func run(t testing.TB, a, b party) (initiator, responder *Keys) {
	t.Helper()
	e, err := Start([]byte(a.password), []byte(a.ci), []byte(a.sid), []byte(a.ad))
	if err != nil {
		t.Fatal(err)
	}
	yb, responder, err := Respond([]byte(b.password), []byte(b.ci), []byte(b.sid), []byte("from b"), e.Share(), []byte(b.ad))
	if err != nil {
		t.Fatal(err)
	}
	initiator, err = e.Finish(yb, []byte("from b"))
	if err != nil {
		t.Fatal(err)
	}
	return initiator, responder
}

func TestKeyConfirmation(t *testing.T) {
	with := func(change func(*party)) party {
		p := honest
		change(&p)
		return p
	}
	for _, c := range []struct {
		name string
		b    party
		want error
	}{
		{"the same on both sides", honest, nil},
		{"another password", with(func(p *party) { p.password = "481921" }), ErrTag},
		{"no password", with(func(p *party) { p.password = "" }), ErrTag},
		{"another channel, as with a relay", with(func(p *party) { p.ci = "channel of a relay" }), ErrTag},
		{"another session, as with a replay", with(func(p *party) { p.sid = "fedcba9876543210" }), ErrTag},
		{"changed associated data", with(func(p *party) { p.ad = "changed" }), ErrTag},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, b := run(t, honest, c.b)
			if err := b.Verify(a.Tag()); !errors.Is(err, c.want) {
				t.Errorf("responder: %v, want %v", err, c.want)
			}
			if err := a.Verify(b.Tag()); !errors.Is(err, c.want) {
				t.Errorf("initiator: %v, want %v", err, c.want)
			}
			ka, _ := a.Derive("purpose", 32)
			kb, _ := b.Derive("purpose", 32)
			if got, want := bytes.Equal(ka, kb), c.want == nil; got != want {
				t.Errorf("derived keys equal: %v, want %v", got, want)
			}
		})
	}
}

func TestTagIsTheDraftsConstruction(t *testing.T) {
	v := load(t).Exchange
	e, err := start(v.PRS, v.CI, v.sid, v.ADa, scalarOf(t, v.scalarA))
	if err != nil {
		t.Fatal(err)
	}
	keys, err := e.Finish(v.shareB, v.ADb)
	if err != nil {
		t.Fatal(err)
	}
	// The published ISK and nothing of this package: mac_key = H("CPaceMac" ||
	// sid || ISK), Ta = HMAC(mac_key, lv_cat(Ya, ADa)).
	macKey := sha512.Sum512(slices.Concat([]byte("CPaceMac"), v.sid, v.IskIR))
	tag := func(share, ad []byte) []byte {
		h := hmac.New(sha512.New, macKey[:])
		h.Write([]byte{32})
		h.Write(share)
		h.Write([]byte{3})
		h.Write(ad)
		return h.Sum(nil)
	}
	same(t, "Ta", keys.Tag(), tag(v.shareA, v.ADa))
	same(t, "Tb", keys.PeerTag(), tag(v.shareB, v.ADb))
}

func TestOwnTagIsNoAnswer(t *testing.T) {
	a, b := run(t, honest, honest)
	if err := a.Verify(a.Tag()); !errors.Is(err, ErrTag) {
		t.Error("initiator took its own tag, reflected")
	}
	if err := b.Verify(b.Tag()); !errors.Is(err, ErrTag) {
		t.Error("responder took its own tag, reflected")
	}
}

func TestMangledTags(t *testing.T) {
	a, b := run(t, honest, honest)
	good := a.Tag()
	for _, tag := range [][]byte{nil, {}, good[:TagSize-1], append(bytes.Clone(good), 0), make([]byte, TagSize)} {
		if err := b.Verify(tag); !errors.Is(err, ErrTag) {
			t.Errorf("a tag of %d bytes was taken", len(tag))
		}
	}
	for i := range good {
		bad := bytes.Clone(good)
		bad[i] ^= 1
		if b.Verify(bad) == nil {
			t.Errorf("a tag changed at byte %d was taken", i)
		}
	}
	if err := CheckTag(nil, nil); !errors.Is(err, ErrTag) {
		t.Error("no tag matched no tag")
	}
}

func TestSharesNeverRepeat(t *testing.T) {
	seen := map[string]bool{}
	for range 32 {
		e, err := Start([]byte("481920"), []byte("ci"), []byte("sid"), nil)
		if err != nil {
			t.Fatal(err)
		}
		if seen[string(e.Share())] {
			t.Fatal("a share came twice")
		}
		seen[string(e.Share())] = true
	}
}

func TestReplayedShareGivesAnotherKey(t *testing.T) {
	e, err := Start([]byte("481920"), []byte("ci"), []byte("sid"), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, first, err := Respond([]byte("481920"), []byte("ci"), []byte("sid"), nil, e.Share(), nil)
	if err != nil {
		t.Fatal(err)
	}
	_, second, err := Respond([]byte("481920"), []byte("ci"), []byte("sid"), nil, e.Share(), nil)
	if err != nil {
		t.Fatal(err)
	}
	if second.Verify(first.PeerTag()) == nil {
		t.Error("a replayed share was worth a second tag")
	}
}

func TestDeriveSeparatesPurposes(t *testing.T) {
	a, _ := run(t, honest, honest)
	one, err := a.Derive("one", 32)
	if err != nil {
		t.Fatal(err)
	}
	two, err := a.Derive("two", 32)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(one, two) {
		t.Error("two purposes share a key")
	}
	if _, err := a.Derive("too much", 255*64+1); err == nil {
		t.Error("more than HKDF can give was given")
	}
}

func TestCloseWipes(t *testing.T) {
	a, b := run(t, honest, honest)
	isk, tag := a.isk, a.Tag()
	a.Close()
	if !bytes.Equal(isk, make([]byte, len(isk))) {
		t.Error("ISK is still in memory")
	}
	if _, err := a.Derive("purpose", 32); err == nil {
		t.Error("wiped keys still derive")
	}
	if err := a.Verify(b.Tag()); !errors.Is(err, ErrTag) {
		t.Error("wiped keys still verify")
	}
	if bytes.Equal(tag, make([]byte, TagSize)) {
		t.Error("a tag handed out was wiped with the keys")
	}
	e, err := Start([]byte("481920"), nil, []byte("sid"), nil)
	if err != nil {
		t.Fatal(err)
	}
	y := e.ya
	e.Close()
	if y.Equal(ristretto255.NewScalar()) != 1 {
		t.Error("the scalar is still in memory")
	}
	e.Close() // closing twice is harmless
}

func TestZeroScalarIsRefused(t *testing.T) {
	if _, err := start([]byte("481920"), nil, []byte("sid"), nil, ristretto255.NewScalar()); err == nil {
		t.Error("the neutral element would be sent")
	}
	if _, _, err := respond([]byte("481920"), nil, []byte("sid"), nil, load(t).Exchange.shareA, nil, ristretto255.NewScalar()); err == nil {
		t.Error("the neutral element would be sent")
	}
}

func TestPasswordLengthStaysInTheFirstBlock(t *testing.T) {
	short := generatorString([]byte("1"), []byte("ci"), []byte("sid"))
	long := generatorString(bytes.Repeat([]byte("p"), 100), []byte("ci"), []byte("sid"))
	if len(short) != len(long) {
		t.Errorf("the hashed string tells the password's length: %d and %d bytes", len(short), len(long))
	}
}
