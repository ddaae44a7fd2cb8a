// Package web holds the pages that a browser shows: signing in, My Devices,
// adding a device and joining. They are plain HTML, one style sheet and small
// ES modules, served as they are written: nothing is built and nothing comes
// from elsewhere. The package hands out files by path; it serves nothing, knows
// no HTTP and never looks at the disk. What the pages say comes from the
// gateway's public API.
package web

import (
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// pagePolicy is the Content-Security-Policy of a page: everything is the
// gateway's own, and no script or style is written into the page itself. A data
// image can carry no script.
const pagePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; " +
	"connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"

// assetPolicy is the policy of everything else, should it be opened by itself.
const assetPolicy = "default-src 'none'; form-action 'none'; base-uri 'none'; frame-ancestors 'none'"

// The tests of the modules lie beside them and end in .mjs, so that they stay out.
//
//go:embed static/*.html static/assets/*.css static/assets/*.svg static/assets/*.js static/assets/*/*.js
var static embed.FS

// Asset is one file as it is to be sent.
type Asset struct {
	Body        []byte // shared; not to be changed
	ContentType string
	ETag        string // strong, in its quotes; changes exactly with Body
	CSP         string // Content-Security-Policy
}

// load reads all files once, on the first use.
var load = sync.OnceValue(func() map[string]Asset {
	assets, err := read(static)
	if err != nil {
		panic("web: " + err.Error()) // only a build that embeds the wrong files
	}
	return assets
})

// Lookup returns what to send for a path as it is on the request line, without
// its query: a page at "/", "/open", "/add" or "/join", or a file below
// "/assets/". Every other spelling is not there.
func Lookup(path string) (Asset, bool) {
	asset, ok := load()[path]
	return asset, ok
}

// Paths lists every path that Lookup knows, in no order.
func Paths() []string {
	paths := make([]string, 0, len(load()))
	for p := range load() {
		paths = append(paths, p)
	}
	return paths
}

func read(files fs.FS) (map[string]Asset, error) {
	assets := make(map[string]Asset)
	err := fs.WalkDir(files, "static", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(files, name)
		if err != nil {
			return err
		}
		contentType, err := typeOf(name)
		if err != nil {
			return err
		}
		asset := Asset{Body: body, ContentType: contentType, ETag: etag(body), CSP: assetPolicy}
		if path.Ext(name) == ".html" {
			asset.CSP = pagePolicy
		}
		assets[address(name)] = asset
		return nil
	})
	return assets, err
}

// address is the path under which an embedded file is asked for.
func address(name string) string {
	name = strings.TrimPrefix(name, "static")
	if name == "/home.html" {
		return "/"
	}
	return strings.TrimSuffix(name, ".html")
}

// typeOf does not use the mime package, which reads the machine's own tables.
func typeOf(name string) (string, error) {
	switch path.Ext(name) {
	case ".html":
		return "text/html; charset=utf-8", nil
	case ".css":
		return "text/css; charset=utf-8", nil
	case ".js":
		return "text/javascript; charset=utf-8", nil
	case ".svg":
		return "image/svg+xml", nil
	}
	return "", fmt.Errorf("%s has no known type", name)
}

func etag(body []byte) string {
	sum := sha256.Sum256(body)
	return `"` + base64.RawURLEncoding.EncodeToString(sum[:16]) + `"`
}
