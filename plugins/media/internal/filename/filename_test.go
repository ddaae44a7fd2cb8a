package filename

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"

	"github.com/salita-mesh/salita/sdk"
)

func TestCheck(t *testing.T) {
	long := strings.Repeat("é", MaxRunes)
	tests := []struct {
		name string
		want string // "" means accepted
	}{
		{"holiday.jpg", ""},
		{"Ferien am Meer 🏖️.jpg", ""},
		{"写真 2026.heic", ""},
		{"e\u0301te\u0301.jpg", ""}, // decomposed stays as it is
		{".hidden", ""},
		{"...", ""},
		{"CON", ""},
		{`quote"and:colon?.jpg`, ""},
		{" spaced ", ""},
		{long, ""},
		{long + "é", "That file name is too long."},
		{strings.Repeat("a", 5000), "That file name is too long."},
		{"", "The file has no name."},
		{"   ", "The file has no name."},
		{".", "That isn't a file name."},
		{"..", "That isn't a file name."},
		{"../etc/passwd", "A file name can't contain a slash."},
		{"a/b.jpg", "A file name can't contain a slash."},
		{`..\boot.ini`, "A file name can't contain a slash."},
		{`C:\photo.jpg`, "A file name can't contain a slash."},
		{"/", "A file name can't contain a slash."},
		{"nul\x00.jpg", "That file name contains characters that can't be shown."},
		{"line\nbreak.jpg", "That file name contains characters that can't be shown."},
		{"del\x7f", "That file name contains characters that can't be shown."},
		{"c1\u0085", "That file name contains characters that can't be shown."},
		{"bad\xff.jpg", "That file name isn't valid text."},
	}
	for _, tt := range tests {
		err := Check(tt.name)
		if tt.want == "" {
			if err != nil {
				t.Errorf("Check(%q) = %v, want accepted", tt.name, err)
			}
			continue
		}
		if got := sdk.AsError(err); got == nil || got.Kind != sdk.Invalid || got.Friendly() != tt.want {
			t.Errorf("Check(%q) = %v, want %q", tt.name, err, tt.want)
		}
	}
}

func TestOnDisk(t *testing.T) {
	tests := []struct{ name, want string }{
		{"holiday.jpg", "holiday.jpg"},
		{"写真.heic", "写真.heic"},
		{".htaccess", "_htaccess"},
		{"..x.jpg", "_x.jpg"},
		{"...", "_"},
		{"a:b*c?.jpg", "a_b_c_.jpg"},
		{`<a>|"b".jpg`, "_a___b_.jpg"},
		{"trailing. . ", "trailing"},
		{"  lead.jpg", "lead.jpg"},
		{"CON", "_CON"},
		{"con.jpg", "_con.jpg"},
		{"Aux.tar.gz", "_Aux.tar.gz"},
		{"nul .txt", "_nul .txt"},
		{"com1.jpg", "_com1.jpg"},
		{"LPT¹", "_LPT¹"},
		{"COM10.jpg", "COM10.jpg"},
		{"console.jpg", "console.jpg"},
		{"gpj.\u202egpj.exe", "gpj.gpj.exe"},
		{"\u202e.\u202c", "_"},
		{"two\u2028lines", "two_lines"},
		{"👩\u200d👧.jpg", "👩\u200d👧.jpg"},
	}
	for _, tt := range tests {
		if got := OnDisk(tt.name); got != tt.want {
			t.Errorf("OnDisk(%q) = %q, want %q", tt.name, got, tt.want)
		}
	}
}

func TestLongNamesKeepTheirExtension(t *testing.T) {
	tests := []struct {
		name   string
		n      int
		suffix string
	}{
		{strings.Repeat("a", 255) + ".jpeg", 1, ".jpeg"},
		{strings.Repeat("字", 255), 1, "字"},
		{strings.Repeat("字", 250) + ".jpg", 1, "字.jpg"},
		{strings.Repeat("字", 250) + ".jpg", 12345, "字 (12345).jpg"},
		{"a." + strings.Repeat("x", 253), 2, "x (2)"}, // too long for an extension
		{"b" + strings.Repeat(".", 250) + "x", 2, "b (2).x"},
	}
	for _, tt := range tests {
		got := Numbered(OnDisk(tt.name), tt.n)
		if len(got) > MaxBytes || !utf8.ValidString(got) || !strings.HasSuffix(got, tt.suffix) {
			t.Errorf("name %.20q... number %d = %q (%d bytes), want at most %d bytes ending in %q",
				tt.name, tt.n, got, len(got), MaxBytes, tt.suffix)
		}
	}
}

func TestNumbered(t *testing.T) {
	tests := []struct {
		name string
		n    int
		want string
	}{
		{"a.jpg", 1, "a.jpg"},
		{"a.jpg", 2, "a (2).jpg"},
		{"a.tar.gz", 10, "a.tar (10).gz"},
		{"noext", 3, "noext (3)"},
		{"_", 2, "_ (2)"},
	}
	for _, tt := range tests {
		if got := Numbered(tt.name, tt.n); got != tt.want {
			t.Errorf("Numbered(%q, %d) = %q, want %q", tt.name, tt.n, got, tt.want)
		}
	}
}

func FuzzOnDisk(f *testing.F) {
	for _, seed := range []string{"a.jpg", "..", "CON.x", "\u202e.", "a" + strings.Repeat(".", 300), "\xff/", " . .", "\u00a0.\u00a0"} {
		f.Add(seed, 7)
	}
	f.Fuzz(func(t *testing.T, name string, n int) {
		for _, got := range []string{OnDisk(name), Numbered(OnDisk(name), n)} {
			checkSafe(t, got)
		}
		if again := OnDisk(OnDisk(name)); again != OnDisk(name) {
			t.Errorf("OnDisk is not stable: %q, then %q", OnDisk(name), again)
		}
	})
}

func checkSafe(t *testing.T, name string) {
	t.Helper()
	switch {
	case name == "", len(name) > MaxBytes, !utf8.ValidString(name):
		t.Errorf("%q has %d bytes or is not UTF-8", name, len(name))
	case strings.HasPrefix(name, "."), strings.HasSuffix(name, "."), strings.HasSuffix(name, " "):
		t.Errorf("%q begins or ends in a dot or space", name)
	case strings.ContainsAny(name, `<>:"/\|?*`), strings.ContainsFunc(name, unicode.IsControl):
		t.Errorf("%q contains a reserved character", name)
	case reserved(name):
		t.Errorf("%q is a device name", name)
	}
}

func FuzzCheck(f *testing.F) {
	for _, seed := range []string{"a.jpg", "..", "a/b", "\x00", "\xff", strings.Repeat("x", 256)} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, name string) {
		err := Check(name)
		if err != nil {
			if sdk.KindOf(err) != sdk.Invalid {
				t.Errorf("Check(%q) = %v, want kind invalid", name, err)
			}
			return
		}
		if strings.ContainsAny(name, "/\\\x00\r\n") || name == ".." || name == "" || utf8.RuneCountInString(name) > MaxRunes {
			t.Errorf("Check(%q) accepted", name)
		}
	})
}
