package cpace

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/gtank/ristretto255"
)

// vector is one value of the published vectors.
type vector []byte

func (v *vector) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(strings.ToLower(string(text)))
	*v = b
	return err
}

type vectors struct {
	Exchange struct {
		PRS, CI, sid, G, ADa, ADb vector
		scalarA, shareA           vector // ya and Ya
		scalarB, shareB           vector // yb and Yb
		K, IskIR, SidOutputIR     vector
	}
	Points struct {
		scalar, valid, result vector
		Invalid1, Invalid2    vector
	}
}

func load(t testing.TB) vectors {
	t.Helper()
	data, err := os.ReadFile("testdata/cpace-ristretto255-sha512.json")
	if err != nil {
		t.Fatal(err)
	}
	// "ya" and "Ya" differ only in case, and some names hold a comma: maps read
	// them where field tags cannot.
	var raw struct {
		Exchange map[string]vector
		Points   map[string]json.RawMessage
	}
	if err := json.Unmarshal(data, &raw); err != nil {
		t.Fatal(err)
	}
	valid := map[string]vector{}
	invalid := map[string]vector{}
	for name, value := range raw.Points {
		if name == "Valid" {
			err = json.Unmarshal(value, &valid)
		} else {
			var v vector
			err = json.Unmarshal(value, &v)
			invalid[name] = v
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	var v vectors
	e, p := &v.Exchange, &v.Points
	take(t, raw.Exchange, map[string]*vector{
		"PRS": &e.PRS, "CI": &e.CI, "sid": &e.sid, "g": &e.G, "ADa": &e.ADa, "ADb": &e.ADb,
		"ya": &e.scalarA, "Ya": &e.shareA, "yb": &e.scalarB, "Yb": &e.shareB,
		"K": &e.K, "ISK_IR": &e.IskIR, "sid_output_ir": &e.SidOutputIR,
	})
	take(t, valid, map[string]*vector{"s": &p.scalar, "X": &p.valid, "G.scalar_mult_vfy(s,X)": &p.result})
	take(t, invalid, map[string]*vector{"Invalid Y1": &p.Invalid1, "Invalid Y2": &p.Invalid2})
	return v
}

func take(t testing.TB, from map[string]vector, into map[string]*vector) {
	t.Helper()
	for name, field := range into {
		if *field = from[name]; len(*field) == 0 {
			t.Fatalf("vector %s is missing", name)
		}
	}
}

func scalarOf(t testing.TB, b []byte) *ristretto255.Scalar {
	t.Helper()
	s := ristretto255.NewScalar()
	if err := s.Decode(b); err != nil {
		t.Fatal(err)
	}
	return s
}

func same(t *testing.T, what string, got, want []byte) {
	t.Helper()
	if diff := cmp.Diff(hex.EncodeToString(want), hex.EncodeToString(got)); diff != "" {
		t.Errorf("%s differs (-want +got):\n%s", what, diff)
	}
}

func TestPublishedExchange(t *testing.T) {
	v := load(t).Exchange
	same(t, "g", calculateGenerator(v.PRS, v.CI, v.sid).Encode(nil), v.G)

	a, err := start(v.PRS, v.CI, v.sid, v.ADa, scalarOf(t, v.scalarA))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Ya", a.Share(), v.shareA)
	yb, b, err := respond(v.PRS, v.CI, v.sid, v.ADb, a.Share(), v.ADa, scalarOf(t, v.scalarB))
	if err != nil {
		t.Fatal(err)
	}
	same(t, "Yb", yb, v.shareB)
	keys, err := a.Finish(yb, v.ADb)
	if err != nil {
		t.Fatal(err)
	}
	for side, k := range map[string]*Keys{"initiator": keys, "responder": b} {
		same(t, side+" ISK_IR", k.isk, v.IskIR)
		same(t, side+" sid_output_ir", k.SessionID(), v.SidOutputIR)
	}
}

func TestPublishedSecretPoint(t *testing.T) {
	v := load(t).Exchange
	for name, c := range map[string]struct{ y, share vector }{
		"ya with Yb": {v.scalarA, v.shareB},
		"yb with Ya": {v.scalarB, v.shareA},
	} {
		k, err := scalarMultVfy(scalarOf(t, c.y), c.share)
		if err != nil {
			t.Fatal(err)
		}
		same(t, name, k, v.K)
	}
}

func TestPublishedPoints(t *testing.T) {
	p := load(t).Points
	k, err := scalarMultVfy(scalarOf(t, p.scalar), p.valid)
	if err != nil {
		t.Fatal(err)
	}
	same(t, "scalar_mult_vfy", k, p.result)
	for name, share := range map[string]vector{"Invalid Y1": p.Invalid1, "Invalid Y2": p.Invalid2} {
		refusedEverywhere(t, name, share)
	}
}

// refusedEverywhere offers a share to both sides.
func refusedEverywhere(t *testing.T, name string, share []byte) {
	t.Helper()
	if _, _, err := Respond([]byte("481920"), nil, []byte("sid"), nil, share, nil); !errors.Is(err, ErrInvalidShare) {
		t.Errorf("%s: responder said %v, want ErrInvalidShare", name, err)
	}
	e, err := Start([]byte("481920"), nil, []byte("sid"), nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := e.Finish(share, nil); !errors.Is(err, ErrInvalidShare) {
		t.Errorf("%s: initiator said %v, want ErrInvalidShare", name, err)
	}
	// A refused share must use the exchange up all the same.
	if _, err := e.Finish(share, nil); !errors.Is(err, ErrUsed) {
		t.Errorf("%s: second finish said %v, want ErrUsed", name, err)
	}
}

func TestPublishedPrependLen(t *testing.T) {
	ascending := func(n int) []byte {
		b := make([]byte, n)
		for i := range b {
			b[i] = byte(i)
		}
		return b
	}
	for _, c := range []struct {
		name string
		in   []byte
		want []byte
	}{
		{"empty", nil, []byte{0}},
		{"four", []byte("1234"), []byte("\x041234")},
		{"one byte of length", ascending(127), append([]byte{0x7f}, ascending(127)...)},
		{"two bytes of length", ascending(128), append([]byte{0x80, 0x01}, ascending(128)...)},
		{"three bytes of length", make([]byte, 1<<14), append([]byte{0x80, 0x80, 0x01}, make([]byte, 1<<14)...)},
	} {
		if got := PrependLen(nil, c.in); !bytes.Equal(got, c.want) {
			t.Errorf("%s: got % x..., want % x...", c.name, got[:3], c.want[:3])
		}
	}
	same(t, "lv_cat", LVCat([]byte("1234"), []byte("5"), nil, []byte("6789")), []byte("\x041234\x015\x00\x046789"))
}
