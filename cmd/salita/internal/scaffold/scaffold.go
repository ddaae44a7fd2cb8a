// Package scaffold writes a new plugin's source: a small one that builds, passes
// its own tests and runs. It starts nothing but the go command and never
// overwrites a file.
package scaffold

import (
	"bytes"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"text/template"
)

//go:embed templates
var templates embed.FS

// files are what a new plugin consists of, by template, in the order of writing.
var files = []struct{ name, template string }{
	{"go.mod", "go.mod.tmpl"},
	{"main.go", "main.go.tmpl"},
	{"notes.go", "notes.go.tmpl"},
	{"plugin_test.go", "plugin_test.go.tmpl"},
	{"README.md", "README.md.tmpl"},
	{".gitignore", "gitignore.tmpl"},
}

// Plugin is what the templates know.
type Plugin struct {
	Name string // a valid plugin name
	SDK  SDK
}

// Title is the name in plain words: "dog-walks" reads "Dog walks".
func (p Plugin) Title() string {
	words := strings.ReplaceAll(p.Name, "-", " ")
	return strings.ToUpper(words[:1]) + words[1:]
}

// Write puts the plugin's files into the folder, which it makes when it is not
// there, and returns their names. A folder that holds anything already is an
// error that is fs.ErrExist, and nothing is written.
func (p Plugin) Write(dir string) ([]string, error) {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	if len(entries) > 0 {
		return nil, fmt.Errorf("%s is not empty: %w", dir, fs.ErrExist)
	}
	set, err := template.ParseFS(templates, "templates/*.tmpl")
	if err != nil {
		return nil, fmt.Errorf("parse templates: %w", err)
	}
	var names []string
	for _, f := range files {
		var text bytes.Buffer
		if err := set.ExecuteTemplate(&text, f.template, p); err != nil {
			return names, fmt.Errorf("fill %s: %w", f.name, err)
		}
		if err := writeNew(filepath.Join(dir, f.name), text.Bytes()); err != nil {
			return names, err
		}
		names = append(names, f.name)
	}
	if err := writeNew(filepath.Join(dir, "go.sum"), p.SDK.Sums); err != nil {
		return names, err
	}
	return append(names, "go.sum"), nil
}

// writeNew writes a file that must not be there yet.
func writeNew(path string, text []byte) error {
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}
