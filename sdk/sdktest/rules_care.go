package sdktest

import (
	"crypto/rand"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// staysInFolder lets the plugin work, from start to stop, and looks at what it
// left elsewhere: in its TMPDIR, the owner's home, beside its data folder.
func staysInFolder(t *trial) error {
	at, err := t.place()
	if err != nil {
		return err
	}
	allowed := append(t.configuredPaths(at), at.data, at.sockets)
	before, err := contents(at.base, allowed...)
	if err != nil {
		return err
	}
	l, err := t.start(at)
	if err != nil {
		return err
	}
	if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
		return err
	}
	for _, r := range t.manifest.Routes {
		method, path := examplePath(r.Pattern)
		if _, err := l.send(t.ctx, method, path, `{"name":"x"}`); err != nil {
			return err
		}
	}
	during, err := contents(at.base, allowed...)
	if err != nil {
		return err
	}
	if err := l.stop(t.ctx); err != nil {
		return err
	}
	after, err := contents(at.base, allowed...)
	if err != nil {
		return err
	}
	for _, now := range []map[string]string{during, after} {
		if !maps.Equal(before, now) {
			return fmt.Errorf("it touched %s", difference(at, before, now))
		}
	}
	return nil
}

// difference names what is new, changed or gone.
func difference(at place, before, after map[string]string) string {
	var names []string
	for _, m := range []map[string]string{before, after} {
		for path := range m {
			if before[path] != after[path] && !slices.Contains(names, path) {
				names = append(names, path)
			}
		}
	}
	slices.Sort(names)
	for i, path := range names {
		names[i] = strings.TrimPrefix(path, at.base+string(filepath.Separator))
	}
	if len(names) > 5 {
		names = append(names[:5], fmt.Sprintf("and %d more", len(names)-5))
	}
	return strings.Join(names, ", ")
}

// configuredPaths are what the configuration names under the attributes that the
// manifest calls paths.
func (t *trial) configuredPaths(at place) []string {
	file, diags := hclsyntax.ParseConfig([]byte(t.options.Config), "config.hcl", hcl.InitialPos)
	if diags.HasErrors() {
		return nil
	}
	attributes, _ := file.Body.JustAttributes()
	var out []string
	for _, name := range t.manifest.Paths {
		attribute, ok := attributes[name]
		if !ok {
			continue
		}
		value, diags := attribute.Expr.Value(nil)
		if diags.HasErrors() || !value.IsWhollyKnown() {
			continue
		}
		for _, path := range texts(value) {
			out = append(out, at.resolve(path))
		}
	}
	return out
}

// texts are the strings of a value that is one or a list of them.
func texts(value cty.Value) []string {
	switch {
	case value.IsNull():
		return nil
	case value.Type() == cty.String:
		return []string{value.AsString()}
	case !value.CanIterateElements():
		return nil
	}
	var out []string
	for _, v := range value.Elements() {
		out = append(out, texts(v)...)
	}
	return out
}

// resolve is what a plugin makes of a path in its configuration.
func (p place) resolve(path string) string {
	if below, ok := strings.CutPrefix(path, "~/"); ok {
		return filepath.Join(p.home, below)
	}
	if !filepath.IsAbs(path) {
		return filepath.Join(p.data, path)
	}
	return filepath.Clean(path)
}

// keepsSecrets puts a word where secrets are, and looks for it in the output.
func keepsSecrets(t *trial) error {
	secret := "canary" + rand.Text()
	l, err := t.connected()
	if err != nil {
		return err
	}
	spoiled, _ := t.spoiled("0", secret)
	_, _ = l.control.ValidateConfig(t.ctx, spoiled)
	_, _, _ = l.control.Configure(t.ctx, spoiled, l.environment())
	if err := l.configure(t.ctx, t.config("1"), l.environment()); err != nil {
		return err
	}
	for _, r := range t.manifest.Routes {
		method, path := examplePath(r.Pattern)
		if _, err := l.send(t.ctx, method, path+"?token="+secret, `{"password":"`+secret+`"}`); err != nil {
			return err
		}
	}
	if err := l.stop(t.ctx); err != nil {
		return err
	}
	for line := range strings.Lines(l.stderr.String() + l.stdout.String()) {
		if strings.Contains(line, secret) {
			return fmt.Errorf("a word of a request or a configuration is in its output: %.300q", line)
		}
	}
	return nil
}
