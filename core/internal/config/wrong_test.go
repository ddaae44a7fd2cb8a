package config

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// textOf is the error's text with the folders of the test replaced.
func (w *world) textOf(t *testing.T, err error) string {
	t.Helper()
	var e *Error
	if !errors.As(err, &e) {
		t.Fatalf("error is %T %v, want *Error", err, err)
	}
	return strings.NewReplacer(w.work, "WORK", w.home, "HOME").Replace(err.Error())
}

// TestWrongFiles shows what people read for each mistake, word for word.
func TestWrongFiles(t *testing.T) {
	tests := map[string]struct{ file, want string }{
		"setting misspelt": {
			"server {\n  adress = \"0.0.0.0:6969\"\n}\n",
			`WORK/config.hcl:2:3: Unsupported argument

2 |   adress = "0.0.0.0:6969"
  |   ^^^^^^

An argument named "adress" is not expected here. Did you mean "address"?`,
		},
		"block misspelt": {
			"\n\nsevrer {}\n",
			`WORK/config.hcl:3:1: Unsupported block type

3 | sevrer {}
  | ^^^^^^

Blocks of type "sevrer" are not expected here. Did you mean "server"?`,
		},
		"block for a setting": {
			"plugin_dirs {}",
			`WORK/config.hcl:1:1: Unsupported block type

1 | plugin_dirs {}
  | ^^^^^^^^^^^

Blocks of type "plugin_dirs" are not expected here. Did you mean to define argument "plugin_dirs"? If so, use the equals sign to assign it a value.`,
		},
		"brace missing": {
			"device {\n\tname = \"x\"\n",
			`WORK/config.hcl:1:8: Unclosed configuration block

1 | device {
  |        ^

There is no closing brace for this block before the end of the file. This may be caused by incorrect brace nesting elsewhere in this file.`,
		},
		"quotes missing": {
			"device {\n\tname = Study\n}\n",
			`WORK/config.hcl:2:9: Wrong value for name

2 | 	name = Study
  | 	       ^^^^^

Expected a name of at most 64 characters. Text stands in quotes.`,
		},
		"quote not closed": {
			"device {\n  name = \"Study\n}\n",
			`WORK/config.hcl:2:16: Invalid multi-line string

2 |   name = "Study
  |                ^

Quoted strings may not be split over multiple lines. To produce a multi-line string, either use the \n escape to represent a newline character or use the "heredoc" multi-line template syntax.`,
		},
		"name empty":      {"device { name = \" \" }", wrong(1, `device { name = " " }`, `" "`, "name", "a name of at most 64 characters")},
		"name null":       {"device { name = null }", wrong(1, `device { name = null }`, `null`, "name", "a name of at most 64 characters")},
		"name a list":     {`device { name = ["x"] }`, wrong(1, `device { name = ["x"] }`, `["x"]`, "name", "a name of at most 64 characters")},
		"address no port": {`server { address = "0.0.0.0" }`, wrong(1, `server { address = "0.0.0.0" }`, `"0.0.0.0"`, "address", `an address with a port, such as "0.0.0.0:6969"`)},
		"address port":    {`server { address = ":65536" }`, wrong(1, `server { address = ":65536" }`, `":65536"`, "address", `an address with a port, such as "0.0.0.0:6969"`)},
		"address words":   {`server { address = "a b:1" }`, wrong(1, `server { address = "a b:1" }`, `"a b:1"`, "address", `an address with a port, such as "0.0.0.0:6969"`)},
		"address IP":      {`server { address = "10.0.0:1" }`, wrong(1, `server { address = "10.0.0:1" }`, `"10.0.0:1"`, "address", `an address with a port, such as "0.0.0.0:6969"`)},
		"mdns":            {`discovery { mdns = "perhaps" }`, wrong(1, `discovery { mdns = "perhaps" }`, `"perhaps"`, "mdns", "true or false")},
		"interval unit":   {`discovery { interval = 60 }`, wrong(1, `discovery { interval = 60 }`, `60`, "interval", `a duration such as "90s" or "5m", from 100ms to 24h`)},
		"interval zero":   {`discovery { interval = "0s" }`, wrong(1, `discovery { interval = "0s" }`, `"0s"`, "interval", `a duration such as "90s" or "5m", from 100ms to 24h`)},
		"timeout":         {`discovery { timeout = "2h" }`, wrong(1, `discovery { timeout = "2h" }`, `"2h"`, "timeout", `a duration such as "90s" or "5m", from 1ms to 1m`)},
		"timeout minus":   {`discovery { timeout = "-2s" }`, wrong(1, `discovery { timeout = "-2s" }`, `"-2s"`, "timeout", `a duration such as "90s" or "5m", from 1ms to 1m`)},
		"window":          {`pairing { window = "61m" }`, wrong(1, `pairing { window = "61m" }`, `"61m"`, "window", `a duration such as "90s" or "5m", from 1ms to 1h`)},
		"lifetime days":   {`tokens { lifetime = "30d" }`, wrong(1, `tokens { lifetime = "30d" }`, `"30d"`, "lifetime", `a duration such as "90s" or "5m", from 1ms to 87600h`)},
		"renew_within":    {`tokens { renew_within = "720h" }`, wrong(1, `tokens { renew_within = "720h" }`, `"720h"`, "renew_within", `less than lifetime, which is 720h`)},
		"attempts":        {`pairing { attempts = 21 }`, wrong(1, `pairing { attempts = 21 }`, `21`, "attempts", "a whole number from 1 to 20")},
		"attempts zero":   {`pairing { attempts = 0 }`, wrong(1, `pairing { attempts = 0 }`, `0`, "attempts", "a whole number from 1 to 20")},
		"attempts part":   {`pairing { attempts = 2.5 }`, wrong(1, `pairing { attempts = 2.5 }`, `2.5`, "attempts", "a whole number from 1 to 20")},
		"attempts huge":   {`pairing { attempts = 1e99 }`, wrong(1, `pairing { attempts = 1e99 }`, `1e99`, "attempts", "a whole number from 1 to 20")},
		"a calculation":   {`pairing { attempts = 2+3 }`, wrong(1, `pairing { attempts = 2+3 }`, `2+3`, "attempts", "a whole number from 1 to 20")},
		"a template":      {`log { level = "${x}" }`, wrong(1, `log { level = "${x}" }`, `"${x}"`, "level", `"trace", "debug", "info", "warn", "error" or "off"`)},
		"grant":           {`pairing { grant = ["*", "media"] }`, wrong(1, `pairing { grant = ["*", "media"] }`, `"media"`, "grant", `a permission such as "media:upload", "media:*" or "*"`)},
		"grant no list":   {`pairing { grant = "*" }`, wrong(1, `pairing { grant = "*" }`, `"*"`, "grant", `a list in [ ], each element of it a permission such as "media:upload", "media:*" or "*"`)},
		"storage":         {`storage { path = "" }`, wrong(1, `storage { path = "" }`, `""`, "path", "a path")},
		"log level":       {`log { level = "loud" }`, wrong(1, `log { level = "loud" }`, `"loud"`, "level", `"trace", "debug", "info", "warn", "error" or "off"`)},
		"log format":      {`log { format = "xml" }`, wrong(1, `log { format = "xml" }`, `"xml"`, "format", `"text" or "json"`)},
		"plugin dirs":     {`plugin_dirs = [7, ""]`, wrong(1, `plugin_dirs = [7, ""]`, `""`, "plugin_dirs", "a path")},
		"sha256":          {`plugin "a" { sha256 = "abc" }`, wrong(1, `plugin "a" { sha256 = "abc" }`, `"abc"`, "sha256", "the 64 hexadecimal digits of a SHA-256")},
		"enabled":         {`plugin "a" { enabled = 2 }`, wrong(1, `plugin "a" { enabled = 2 }`, `2`, "enabled", "true or false")},
		"confine":         {`plugin "a" { confine = "no" }`, wrong(1, `plugin "a" { confine = "no" }`, `"no"`, "confine", "true or false")},
		"env":             {`plugin "a" { env = ["A=B"] }`, wrong(1, `plugin "a" { env = ["A=B"] }`, `"A=B"`, "env", `the name of an environment variable, such as "LANG"`)},
		"plugin name": {
			`plugin "Media" {}`,
			`WORK/config.hcl:1:8: Wrong plugin name

1 | plugin "Media" {}
  |        ^^^^^^^

Expected 1 to 32 lower-case letters, digits and dashes, the first a letter.`,
		},
		"plugin unnamed": {
			`plugin {}`,
			`WORK/config.hcl:1:8: Missing name for plugin

1 | plugin {}
  |        ^

All plugin blocks must have 1 labels (name).`,
		},
		"plugin named twice": {
			`plugin "a" "b" {}`,
			`WORK/config.hcl:1:12: Extraneous label for plugin

1 | plugin "a" "b" {}
  |            ^^^

Only 1 labels (name) are expected for plugin blocks.`,
		},
		"plugin twice": {
			"plugin \"a\" {}\nplugin \"b\" {}\nplugin \"a\" {}\n",
			`WORK/config.hcl:3:8: Duplicate plugin block

3 | plugin "a" {}
  |        ^^^

Plugin "a" has a block at line 1 already. Expected one for each plugin.`,
		},
		"plugin's setting outside config": {
			"plugin \"media\" {\n  library = \"~/Pictures\"\n}\n",
			`WORK/config.hcl:2:3: Unsupported argument

2 |   library = "~/Pictures"
  |   ^^^^^^^

An argument named "library" is not expected here. The plugin's own settings belong inside its config { } block.`,
		},
		"certificate without its key": {
			"certificate {\n  file = \"c.pem\"\n}\n",
			`WORK/config.hcl:1:1: Incomplete certificate block

1 | certificate {
  | ^^^^^^^^^^^

Expected both file, the path of the certificate, and key, the path of its private key.`,
		},
		"certificate without its file": {
			"certificate {\n  key = \"k.pem\"\n}\n",
			`WORK/config.hcl:1:1: Incomplete certificate block

1 | certificate {
  | ^^^^^^^^^^^

Expected both file, the path of the certificate, and key, the path of its private key.`,
		},
		"certificate empty": {
			"certificate {}\n",
			`WORK/config.hcl:1:1: Incomplete certificate block

1 | certificate {}
  | ^^^^^^^^^^^

Expected both file, the path of the certificate, and key, the path of its private key.`,
		},
		"certificate's setting misspelt": {
			"certificate {\n  file = \"c.pem\"\n  kee = \"k.pem\"\n  key = \"k.pem\"\n}\n",
			`WORK/config.hcl:3:3: Unsupported argument

3 |   kee = "k.pem"
  |   ^^^

An argument named "kee" is not expected here.`,
		},
		"certificate twice": {
			"certificate {\n  file = \"c\"\n  key = \"k\"\n}\ncertificate {\n  file = \"c\"\n  key = \"k\"\n}\n",
			`WORK/config.hcl:5:1: Duplicate certificate block

5 | certificate {
  | ^^^^^^^^^^^

Only one certificate block is allowed. Another was defined at WORK/config.hcl:1,1-12.`,
		},
		"certificate with a label": {
			"certificate \"browsers\" {\n  file = \"c\"\n  key = \"k\"\n}\n",
			`WORK/config.hcl:1:13: Extraneous label for certificate

1 | certificate "browsers" {
  |             ^^^^^^^^^^

No labels are expected for certificate blocks.`,
		},
		"certificate's values": {
			"certificate {\n  file = \"\"\n  key = [\"k.pem\"]\n}\n",
			wrong(2, `  file = ""`, `""`, "file", "a path") + "\n\n" + wrong(3, `  key = ["k.pem"]`, `["k.pem"]`, "key", "a path"),
		},
		"certificate's values bare and null": {
			"certificate {\n  file = null\n  key = keys\n}\n",
			wrong(2, `  file = null`, `null`, "file", "a path") + "\n\n" +
				wrong(3, `  key = keys`, `keys`, "key", "a path") + " Text stands in quotes.",
		},
		"block twice": {
			"log {}\nlog {}\n",
			`WORK/config.hcl:2:1: Duplicate log block

2 | log {}
  | ^^^

Only one log block is allowed. Another was defined at WORK/config.hcl:1,1-4.`,
		},
		"setting twice": {
			"log {\n  level = \"info\"\n  level = \"warn\"\n}\n",
			`WORK/config.hcl:3:3: Attribute redefined

3 |   level = "warn"
  |   ^^^^^

The argument "level" was already set at WORK/config.hcl:2,3-8. Each argument may be set only once.`,
		},
		"a mistake inside config": {
			"plugin \"media\" {\n  config {\n    library =\n  }\n}\n",
			`WORK/config.hcl:3:14: Invalid expression

3 |     library =
  |              ^

Expected the start of an expression, but found an invalid expression token.`,
		},
		"several": {
			"server { address = \"x\" }\nlog {\n  level = 1\n}\n",
			wrong(1, `server { address = "x" }`, `"x"`, "address", `an address with a port, such as "0.0.0.0:6969"`) + "\n\n" +
				wrong(3, `  level = 1`, `1`, "level", `"trace", "debug", "info", "warn", "error" or "off"`),
		},
		"characters of other widths and none": {
			"/* ü */ log { level = \"u\u0308\x1b[31m\" } # \x07\n",
			`WORK/config.hcl:1:23: Wrong value for level

1 | /* ü */ log { level = "u?[31m" } # ?
  |                       ^^^^^^^^

Expected "trace", "debug", "info", "warn", "error" or "off".`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write(t, filepath.Join(w.work, fileName), tt.file)
			_, err := w.load()
			if diff := cmp.Diff(tt.want, w.textOf(t, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// wrong is the text for a wrong value that stands once in its line.
func wrong(line int, text, value, name, expected string) string {
	column := strings.LastIndex(text, value)
	return fmt.Sprintf("WORK/config.hcl:%d:%d: Wrong value for %s\n\n%d | %s\n  | %s%s\n\nExpected %s.",
		line, column+1, name, line, text, strings.Repeat(" ", column), strings.Repeat("^", len(value)), expected)
}

func TestLongLinesAndManyMistakes(t *testing.T) {
	w := newWorld(t)
	list := strings.Repeat(`"x y",`, 100)
	w.write(t, filepath.Join(w.work, fileName), "plugin \"a\" { env = ["+list+"] }\n")
	_, err := w.load()
	text := w.textOf(t, err)
	if !strings.HasSuffix(text, "\n\nand 90 more") {
		t.Errorf("text ends with %q", text[max(0, len(text)-60):])
	}
	for line := range strings.Lines(text) {
		if len([]rune(line)) > 3*maxShown+20 {
			t.Errorf("a line of %d characters", len([]rune(line)))
		}
	}
	var e *Error
	errors.As(err, &e)
	if got := e.Diagnostics(); len(got) != 100 || got[99].Line != 1 || got[99].Column != 21+99*6 {
		t.Errorf("%d diagnostics, the last %+v", len(got), got[len(got)-1])
	}
}

func TestMistakesOutsideTheFile(t *testing.T) {
	tests := map[string]struct {
		prepare func(t *testing.T, w *world, o *Options)
		want    string
	}{
		"named by a flag": {
			func(_ *testing.T, _ *world, o *Options) { o.File = "no.hcl" },
			"The configuration file WORK/no.hcl that --config names doesn't exist.",
		},
		"named by a variable": {
			func(_ *testing.T, w *world, _ *Options) { w.env[envFile] = "/no.hcl" },
			"The configuration file /no.hcl that SALITA_CONFIG names doesn't exist.",
		},
		"below a file": {func(t *testing.T, w *world, o *Options) {
			w.write(t, filepath.Join(w.work, "file"), "")
			o.File = "file/c.hcl"
		}, "The configuration file WORK/file/c.hcl that --config names doesn't exist."},
		"a folder": {func(t *testing.T, w *world, _ *Options) {
			if err := os.Mkdir(filepath.Join(w.work, fileName), 0o700); err != nil {
				t.Fatal(err)
			}
		}, "The configuration file WORK/config.hcl can't be read: is a directory."},
		"too large": {func(t *testing.T, w *world, _ *Options) {
			w.write(t, filepath.Join(w.work, fileName), strings.Repeat("#\n", maxFile))
		}, "The configuration file WORK/config.hcl is larger than 64 KiB."},
		"address": {
			func(_ *testing.T, _ *world, o *Options) { o.Address = "6969" },
			`--address is "6969". Expected an address with a port, such as "0.0.0.0:6969".`,
		},
		"address in the environment": {
			func(_ *testing.T, w *world, _ *Options) { w.env[envAddress] = "x" },
			`SALITA_ADDRESS is "x". Expected an address with a port, such as "0.0.0.0:6969".`,
		},
		"name": {
			func(_ *testing.T, _ *world, o *Options) { o.Name = "\n" },
			`--name is "\n". Expected a name of at most 64 characters.`,
		},
		"level": {
			func(_ *testing.T, w *world, _ *Options) { w.env[envLogLevel] = "INFO" },
			`SALITA_LOG_LEVEL is "INFO". Expected "trace", "debug", "info", "warn", "error" or "off".`,
		},
		"no home": {
			func(_ *testing.T, w *world, _ *Options) { delete(w.env, "HOME") },
			`The home folder is unknown: the environment variable HOME is "". Set it, or use --data-dir and full paths.`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			_, err := w.load(func(o *Options) { tt.prepare(t, w, o) })
			if diff := cmp.Diff(tt.want, w.textOf(t, err)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

// TestHostileFiles checks that no file within the size limit brings the process
// down or fills its memory.
func TestHostileFiles(t *testing.T) {
	full := func(s string) string { return strings.Repeat(s, maxFile/len(s)-20) }
	for name, file := range map[string]string{
		"brackets":        "a = " + full("["),
		"parentheses":     "a = " + full("("),
		"objects":         "a = " + full("{a="),
		"blocks":          full("a{\n"),
		"minus":           "a = " + full("-"),
		"not":             "a = " + full("!"),
		"templates":       "a = " + full(`"${`),
		"conditions":      "a = " + full("a?b:"),
		"splats":          "a = a" + full("[*]"),
		"indexes":         "a = a" + full("[a"),
		"comment":         full("/*"),
		"heredocs":        full("a = <<E\n"),
		"zeros":           full("\x00"),
		"not UTF-8":       "device { name = \"" + full("\xff") + "\" }",
		"many plugins":    full("plugin \"a\" {}\n"),
		"if":              `a = "` + full("%{if a}"),
		"nested loops":    `pairing { grant = [` + strings.Repeat("for a in [1,2,3,4,5,6,7,8]: [", 30) + "1" + full("]"),
		"loop in a value": `device { name = [for a in [1,2]: a] }`,
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.write(t, filepath.Join(w.work, fileName), file)
			_, err := w.load()
			if text := w.textOf(t, err); len(text) > 20_000 {
				t.Errorf("error of %d bytes", len(text))
			}
		})
	}
}

func FuzzDecode(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("plugin \"a\" {\n config {\n a = <<E\n E\n }\n}\n"))
	f.Add([]byte("device { name = \"${x}\\u1234\" }\r\nlog { level = %{if a} }"))
	f.Add([]byte("plugin \"a\" \"b\" { config { } }"))
	f.Add([]byte("certificate {\n file = \"a\"\n key = \"b\"\n}\n"))
	f.Add([]byte("\xef\xbb\xbfdevice {}"))
	f.Fuzz(func(t *testing.T, source []byte) {
		if len(source) > 4096 {
			return
		}
		c := Default()
		diags := decode(source, "f.hcl", &c)
		if diags.HasErrors() {
			e := fileError(diags, "f.hcl", source)
			if len(e.Diagnostics()) == 0 || e.Error() == "" {
				t.Error("an error that says nothing")
			}
			for _, r := range e.Error() {
				if r != '\n' && r != '\t' && r < ' ' || r == 0x7f {
					t.Errorf("control character %q in %q", r, e.Error())
				}
			}
			return
		}
		if c.Tokens.RenewWithin >= c.Tokens.Lifetime || c.Pairing.Attempts < 1 || c.Discovery.Interval <= 0 || c.Storage.Path == "" {
			t.Errorf("accepted: %+v", c)
		}
		if (c.Certificate.File == "") != (c.Certificate.Key == "") {
			t.Errorf("half a certificate accepted: %+v", c.Certificate)
		}
		for _, p := range c.Plugins {
			if p.Block.Source != nil && string(source[p.Block.Byte:p.Block.Byte+len(p.Block.Source)]) != string(p.Block.Source) {
				t.Errorf("block is not where it says: %+v", p.Block)
			}
		}
	})
}
