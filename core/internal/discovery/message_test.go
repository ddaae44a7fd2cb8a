package discovery

import (
	"errors"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/net/dns/dnsmessage"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

var diffable = cmp.Options{
	cmp.AllowUnexported(message{}, question{}, record{}),
	cmp.Comparer(func(a, b netip.Addr) bool { return a == b }),
}

func testZone() zone {
	return zone{
		label: "salita-x", port: 6969, text: testInfo(1).text(),
		addresses: []netip.Addr{netip.MustParseAddr("10.7.0.1"), netip.MustParseAddr("fd07::1")},
	}
}

func mustEncode(t testing.TB, m message) []byte {
	t.Helper()
	b, err := encode(m)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestPacketsThereAndBack(t *testing.T) {
	z := testZone()
	for name, m := range map[string]message{
		"query": {id: 7, truncated: true, questions: []question{
			{name: serviceName, typ: dnsmessage.TypePTR, unicast: true}, {name: z.host(), typ: typeANY},
		}, answers: []record{z.pointer()}},
		"probe":    {questions: []question{{name: z.host(), typ: typeANY}}, authorities: z.unique()},
		"response": {response: true, answers: z.announcement(), additionals: z.hosts()},
		"goodbye":  {response: true, answers: []record{{name: serviceName, typ: dnsmessage.TypePTR, target: z.instance()}}},
		"ranked": {response: true, answers: []record{
			{name: z.instance(), typ: dnsmessage.TypeSRV, target: z.host(), port: 1, rank: 5<<16 | 9, ttl: 1},
		}},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := decode(mustEncode(t, m))
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(m, got, diffable); diff != "" {
				t.Errorf("want -, got +:\n%s", diff)
			}
		})
	}
}

func TestAbsenceOnTheWire(t *testing.T) {
	r := zone{label: "a", addresses: []netip.Addr{netip.MustParseAddr("10.7.0.1")}}.absent("a.local.")
	// The name, window 0, one byte of bits, bit 1 for A (RFC 4034, section 4.1.2).
	if want := "\x01a\x05local\x00\x00\x01\x40"; r.text != want {
		t.Errorf("got %q, want %q", r.text, want)
	}
	r = testZone().absent("salita-x.local.")
	if want := "\x00\x04\x40\x00\x00\x08"; !strings.HasSuffix(r.text, want) { // A and AAAA
		t.Errorf("got %q, want ... %q", r.text, want)
	}
}

func TestNamesAreComparedInLowerCase(t *testing.T) {
	m, err := decode(mustEncode(t, message{questions: []question{{name: "_SALITA._Tcp.LOCAL.", typ: dnsmessage.TypePTR}}}))
	if err != nil || m.questions[0].name != serviceName {
		t.Errorf("got %+v, %v", m, err)
	}
}

// rawName is a name whose labels may have dots inside.
func rawName(labels ...string) string {
	var b strings.Builder
	for _, l := range labels {
		b.WriteByte(byte(len(l)))
		b.WriteString(l)
	}
	return b.String() + "\x00"
}

func TestForeignNamesWithDotsArePassedOver(t *testing.T) {
	z := testZone()
	target := rawName(z.label, "_salita", "_tcp", "local")
	ours := rawName("_salita", "_tcp", "local") + "\x00\x0c\x00\x01\x00\x00\x11\x94" + "\x00" + string(rune(len(target))) + target
	dotted := rawName("Mr. Printer", "_ipp", "_tcp", "local")
	srv := dotted + "\x00\x21\x00\x01\x00\x00\x00\x78" + "\x00\x09" + "\x00\x00\x00\x00\x02\x77" + "\x01a\x00"
	ptr := rawName("_ipp", "_tcp", "local") + "\x00\x0c\x00\x01\x00\x00\x00\x78" + "\x00" + string(rune(len(dotted))) + dotted
	m, err := decode([]byte("\x00\x00\x84\x00\x00\x00\x00\x03\x00\x00\x00\x00" + srv + ptr + ours))
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]record{z.pointer()}, m.answers, diffable); diff != "" {
		t.Errorf("want -, got +:\n%s", diff)
	}

	query := append([]byte("\x00\x00\x00\x00\x00\x02\x00\x00\x00\x00\x00\x00"), dotted+"\x00\x21\x00\x01"+rawName("_salita", "_tcp", "local")+"\x00\x0c\x00\x01"...)
	if m, err = decode(query); err != nil || len(m.questions) != 1 || m.questions[0].name != serviceName {
		t.Errorf("got %+v, %v", m, err)
	}
}

func TestWrongPackets(t *testing.T) {
	header := func(flags, counts string) string { return "\x00\x00" + flags + counts }
	address := func(length, data string) string {
		return header("\x84\x00", "\x00\x00\x00\x01\x00\x00\x00\x00") + "\x01a\x00\x00\x01\x00\x01\x00\x00\x00\x78\x00" + length + data
	}
	for name, packet := range map[string]string{
		"nothing":           "",
		"half a header":     "\x00\x00\x84\x00\x00",
		"update":            header("\x28\x00", strings.Repeat("\x00", 8)),
		"failure":           header("\x84\x03", strings.Repeat("\x00", 8)),
		"no records":        header("\x84\x00", "\x00\x00\x00\x09\x00\x00\x00\x00"),
		"no questions":      header("\x00\x00", "\x00\x09\x00\x00\x00\x00\x00\x00"),
		"name without end":  header("\x00\x00", "\x00\x01\x00\x00\x00\x00\x00\x00") + "\x3fabc",
		"name at itself":    header("\x00\x00", "\x00\x01\x00\x00\x00\x00\x00\x00") + "\xc0\x0c\x00\x0c\x00\x01",
		"data past the end": address("\x40", "\x01\x02\x03\x04"),
		"too big":           header("\x84\x00", strings.Repeat("\x00", 8)) + strings.Repeat("x", maxPacket),
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := decode([]byte(packet)); err == nil {
				// A pointer to itself is skipped with its question, which then is no
				// name at all: all that counts is that nothing came of it.
				if name != "name at itself" || len(m.questions) > 0 {
					t.Errorf("read as %+v", m)
				}
			}
		})
	}
	for name, packet := range map[string]string{
		"short address": address("\x03", "\x01\x02\x03"),
		"long address":  address("\x05", "\x01\x02\x03\x04\x05"),
	} {
		t.Run(name, func(t *testing.T) {
			if m, err := decode([]byte(packet)); err != nil || len(m.answers) != 0 {
				t.Errorf("read as %+v, %v", m, err)
			}
		})
	}
	if _, err := decode([]byte(header("\x28\x00", strings.Repeat("\x00", 8)))); !errors.Is(err, errNotForUs) {
		t.Errorf("an update: %v", err)
	}
}

func TestCutPackets(t *testing.T) {
	z := testZone()
	whole := mustEncode(t, message{response: true, questions: []question{{name: serviceName, typ: dnsmessage.TypePTR}}, answers: z.announcement()})
	for n := range whole {
		if m, err := decode(whole[:n]); err == nil {
			t.Errorf("the first %d of %d bytes were read as %+v", n, len(whole), m)
		}
	}
}

func TestOnePacketIsBounded(t *testing.T) {
	var m message
	for n := range 300 {
		m.questions = append(m.questions, question{name: serviceName, typ: dnsmessage.TypePTR})
		m.answers = append(m.answers, record{name: "a.", typ: dnsmessage.TypeA, ttl: 1, addr: netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)})})
	}
	got, err := decode(mustEncode(t, m))
	if err != nil {
		t.Fatal(err)
	}
	if len(got.questions) != maxQuestions || len(got.answers) != maxRecords {
		t.Errorf("%d questions and %d answers were kept", len(got.questions), len(got.answers))
	}
}

func TestNamesThatCannotBeSent(t *testing.T) {
	long := strings.Repeat("a", 300) + "."
	for name, m := range map[string]message{
		"question": {questions: []question{{name: long}}},
		"record":   {answers: []record{{name: long, typ: dnsmessage.TypeA}}},
		"target":   {answers: []record{{name: "a.", typ: dnsmessage.TypePTR, target: long}}},
		"label":    {answers: []record{{name: strings.Repeat("a", 64) + ".", typ: dnsmessage.TypePTR, target: "b."}}},
	} {
		if _, err := encode(m); err == nil {
			t.Errorf("%s: sent", name)
		}
	}
}

func FuzzDecode(f *testing.F) {
	z := testZone()
	f.Add(mustEncode(f, message{response: true, answers: z.announcement()}))
	f.Add(mustEncode(f, message{questions: []question{{name: z.host(), typ: typeANY, unicast: true}}, authorities: z.unique()}))
	f.Add(mustEncode(f, message{truncated: true, questions: []question{{name: serviceName, typ: dnsmessage.TypePTR}}, answers: []record{z.pointer()}}))
	f.Add([]byte(rawName("a.b")))
	f.Fuzz(func(t *testing.T, packet []byte) {
		m, err := decode(packet)
		if err != nil {
			return
		}
		if len(m.questions) > maxQuestions || len(m.answers)+len(m.authorities)+len(m.additionals) > maxRecords {
			t.Fatalf("not bounded: %d questions, %d answers", len(m.questions), len(m.answers))
		}
		again, err := encode(m)
		if err != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
		got, err := decode(again)
		if len(again) > maxPacket {
			return
		}
		if err != nil {
			t.Fatalf("what was written cannot be read: %v", err)
		}
		if diff := cmp.Diff(m, got, diffable); diff != "" {
			t.Errorf("read -, written and read +:\n%s", diff)
		}
	})
}

func TestText(t *testing.T) {
	id := string(testID(1))
	long := strings.Repeat("é", 200)
	for name, c := range map[string]struct {
		text []string
		want announced
		ok   bool
	}{
		"closed":           {[]string{"txtvers=1", "id=" + id}, announced{id: testID(1)}, true},
		"pairing":          {[]string{"txtvers=1", "id=" + id, "pair=1", "name=Anna’s NAS"}, announced{testID(1), true, "Anna’s NAS"}, true},
		"name when closed": {[]string{"txtvers=1", "id=" + id, "name=NAS"}, announced{id: testID(1)}, true},
		"keys in capitals": {[]string{"TXTVERS=1", "Id=" + id}, announced{id: testID(1)}, true},
		"first counts":     {[]string{"txtvers=1", "id=" + id, "id=" + string(testID(2))}, announced{id: testID(1)}, true},
		"more than we know": {
			[]string{"txtvers=1", "colour=blue", "flag", "=x", "", "id=" + id}, announced{id: testID(1)}, true,
		},
		"ugly name":       {[]string{"txtvers=1", "id=" + id, "pair=1", "name= a\x1b[31m\nb\u202e "}, announced{testID(1), true, "a[31m b"}, true},
		"no version":      {[]string{"id=" + id}, announced{id: testID(1)}, false},
		"other version":   {[]string{"txtvers=2", "id=" + id}, announced{id: testID(1)}, false},
		"no id":           {[]string{"txtvers=1"}, announced{}, false},
		"short id":        {[]string{"txtvers=1", "id=abc"}, announced{id: "abc"}, false},
		"id in capitals":  {[]string{"txtvers=1", "id=" + strings.ToUpper(id)}, announced{id: mesh.DeviceID(strings.ToUpper(id))}, false},
		"nothing":         {nil, announced{}, false},
		"not text at all": {[]string{strings.Repeat("\xff", 255)}, announced{}, false},
	} {
		t.Run(name, func(t *testing.T) {
			got, ok := parseText(joinStrings(c.text))
			if got != c.want || ok != c.ok {
				t.Errorf("got %+v, %v, want %+v, %v", got, ok, c.want, c.ok)
			}
		})
	}
	if list := splitStrings("\x05abc"); list != nil {
		t.Errorf("a string past the end was read as %q", list)
	}

	info := testInfo(1)
	info.Pairing, info.Name = true, long
	got, ok := parseText(info.text())
	if !ok || !strings.HasPrefix(long, got.name) || len(got.name) == 0 {
		t.Errorf("a long name came back as %q, %v", got.name, ok)
	}
	if s := cut("name=" + long); len(s) > maxString || !strings.HasPrefix("name="+long, s) || strings.ContainsRune(s, '\ufffd') {
		t.Errorf("cut to %d bytes: %q", len(s), s)
	}
}

func TestLabel(t *testing.T) {
	for host, want := range map[string]string{
		"salita-abcdefgh.local":            "salita-abcdefgh",
		"Salita-ABC.local":                 "salita-abc",
		"":                                 "salita",
		"a b.local":                        "salita",
		"a.b.local":                        "salita",
		strings.Repeat("a", 60) + ".local": "salita",
	} {
		if got := (Info{Host: host}).label(); got != want {
			t.Errorf("%q: got %q, want %q", host, got, want)
		}
	}
	for conflicts, want := range map[int]string{0: "a", 1: "a-2", 8: "a-9", 9: "a-100007", 200: "a-100007"} {
		if got := relabel("a", conflicts, func(int) int { return 7 }); got != want {
			t.Errorf("%d conflicts: got %q, want %q", conflicts, got, want)
		}
	}
	if n := len(relabel(strings.Repeat("a", maxLabel), 99, func(n int) int { return n - 1 })); n > 63 {
		t.Errorf("a label of %d bytes", n)
	}
}

func TestWhatIsAnswered(t *testing.T) {
	z := testZone()
	srv, txt, v4, v6 := z.service()[0], z.service()[1], z.hosts()[0], z.hosts()[1]
	only4 := z
	only4.addresses = z.addresses[:1]
	for name, c := range map[string]struct {
		zone    zone
		q       question
		answers []record
		besides []record
	}{
		"browse":     {z, question{name: serviceName, typ: dnsmessage.TypePTR}, []record{z.pointer()}, []record{srv, txt, v4, v6}},
		"browse any": {z, question{name: serviceName, typ: typeANY}, []record{z.pointer()}, []record{srv, txt, v4, v6}},
		"services":   {z, question{name: catalogueName, typ: dnsmessage.TypePTR}, []record{z.catalogue()}, nil},
		"instance":   {z, question{name: z.instance(), typ: dnsmessage.TypeSRV}, []record{srv}, []record{v4, v6}},
		"all of it":  {z, question{name: z.instance(), typ: typeANY}, []record{srv, txt}, []record{v4, v6}},
		"host":       {z, question{name: z.host(), typ: dnsmessage.TypeA}, []record{v4}, []record{v6}},
		"no IPv6":    {only4, question{name: z.host(), typ: dnsmessage.TypeAAAA}, []record{only4.absent(z.host())}, nil},
		"no address": {z, question{name: z.instance(), typ: dnsmessage.TypeA}, []record{z.absent(z.instance())}, []record{v4, v6}},
		"not ours":   {z, question{name: "other.local.", typ: dnsmessage.TypeA}, nil, nil},
		"wrong type": {z, question{name: serviceName, typ: dnsmessage.TypeA}, nil, nil},
	} {
		t.Run(name, func(t *testing.T) {
			answers := c.zone.answer(c.q)
			if diff := cmp.Diff(c.answers, answers, diffable); diff != "" {
				t.Errorf("answers, want -, got +:\n%s", diff)
			}
			if diff := cmp.Diff(c.besides, c.zone.besides(answers), diffable); diff != "" {
				t.Errorf("besides, want -, got +:\n%s", diff)
			}
		})
	}
}

func TestProbesAreComparedByTheirData(t *testing.T) {
	// The example of RFC 6762, section 8.2: 169.254.200.50 beats 169.254.99.200.
	a := func(s string) record {
		return record{name: "myprinter.local.", typ: dnsmessage.TypeA, addr: netip.MustParseAddr(s)}
	}
	if got := compareRecords([]record{a("169.254.99.200")}, []record{a("169.254.200.50")}); got >= 0 {
		t.Errorf("got %d", got)
	}
	// The one with more records, all else being equal, is later.
	if got := compareRecords([]record{a("10.0.0.1")}, []record{a("10.0.0.1"), a("10.0.0.2")}); got >= 0 {
		t.Errorf("got %d", got)
	}
	srv := record{typ: dnsmessage.TypeSRV, rank: 1<<16 | 2, port: 0x0304, target: "a.local."}
	if got, want := string(srv.wireData()), "\x00\x01\x00\x02\x03\x04\x01a\x05local\x00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got, want := string((record{typ: dnsmessage.TypePTR, target: "."}).wireData()), "\x00"; got != want {
		t.Errorf("the root is %q, want %q", got, want)
	}
}
