package plugins

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/salita-mesh/salita/core/internal/config"
	"github.com/salita-mesh/salita/core/internal/sandbox"
)

// place is a file or folder outside of the data folder that the configuration
// names for a plugin to work in.
type place struct {
	written string   // in the configuration
	path    string   // absolute, as the plugin understands it
	real    string   // without symbolic links
	links   []string // where the links in it are
}

// remark is a place that a plugin does not get.
type remark struct {
	path   string
	reason error
}

var errRedirectable = errors.New("the plugin could lead it elsewhere by a link of its own")

// named is what the configuration names.
type named struct {
	places     []string // real paths, sorted
	identities []string // of the places, which are others when a drive is
	remarks    []remark
}

// named finds the places that exist. Missing folders are made as the plugin
// would make them. attributes are those of the configuration that name places.
// It ends with ctx even when a drive does not answer.
func (l *launcher) named(ctx context.Context, spec Spec, attributes []string) (named, error) {
	if len(attributes) == 0 || len(spec.Config.Source) == 0 {
		return named{}, nil
	}
	type result struct {
		named
		err error
	}
	results := make(chan result, 1)
	go func() {
		n, err := l.find(spec, attributes)
		results <- result{n, err}
	}()
	select {
	case r := <-results:
		return r.named, r.err
	case <-ctx.Done():
		return named{}, context.Cause(ctx)
	}
}

func (l *launcher) find(spec Spec, attributes []string) (n named, err error) {
	names, err := config.PathsIn(spec.Config.Source, attributes)
	if err != nil {
		return named{}, nil // the plugin reports it, with the place in the user's file
	}
	home := l.environment(l.order.assignment).HomeDir
	known := l.recall().Folders
	var all []place
	for _, name := range names {
		p := place{written: name, path: expand(name, home, l.dataDir)}
		if p.path == "" || sandbox.Within(l.dataDir, p.path) {
			continue
		}
		if err := l.admit(p.written, p.path); err != nil {
			return named{}, err
		}
		if err := p.resolve(!l.onlyLook && !slices.Contains(known, p.path)); err != nil {
			n.remarks = append(n.remarks, remark{p.path, err})
			continue
		}
		if err := l.admit(p.written, p.real); err != nil {
			return named{}, err
		}
		all = append(all, p)
	}
	l.noteFolders(all)
	l.trust(all, &n)
	for _, p := range n.places {
		id, _ := identify(p)
		n.identities = append(n.identities, fmt.Sprintf("%s %d %d", p, id.device, id.inode))
	}
	return n, nil
}

// maxNamed bounds a path in the log, in bytes.
const maxNamed = 500

// expand is the path as plugins understand it: "~/" is the owner's home folder,
// anything relative is in the data folder, which is their working folder.
func expand(name, home, dataDir string) string {
	below, inHome := strings.CutPrefix(name+"/", "~/")
	switch {
	case name == "" || strings.ContainsRune(name, 0) || inHome && home == "":
		return ""
	case inHome:
		return filepath.Join(home, below)
	case filepath.IsAbs(name):
		return filepath.Clean(name)
	}
	return filepath.Join(dataDir, name)
}

// admit refuses places that hold the gateway's own keys or programs, or lie
// among them: whoever may write there can become the gateway.
func (l *launcher) admit(written, path string) error {
	gateway := l.gatewayDir
	real, err := filepath.EvalSymlinks(gateway)
	if err != nil {
		real = gateway
	}
	for _, dir := range []string{gateway, real} {
		if sandbox.Within(path, filepath.Join(dir, "data")) || slices.ContainsFunc(ownNames(), func(name string) bool {
			return sandbox.Within(filepath.Join(dir, name), path)
		}) {
			return permanent(refusal("The plugin may not work in %s: Salita's own files are there. Give it a folder for itself.", printable(written, maxNamed)))
		}
	}
	return nil
}

// ownNames are what the gateway keeps in its data folder for itself.
func ownNames() []string {
	return []string{
		"device.key", "device.crt", "node_identity.json", "salita.db", "salita.db-wal", "salita.db-shm",
		"admin.sock", "plugins", "backups", "cache", "config.hcl",
	}
}

// resolve finds the real path. A folder that is missing is made, as plugins do,
// if it may be; what has an extension is taken for a file, which only the plugin
// can make.
func (p *place) resolve(mayMake bool) (err error) {
	p.real, p.links, err = sandbox.Resolve(p.path)
	if !errors.Is(err, fs.ErrNotExist) || !mayMake || hasExtension(p.path) {
		return err
	}
	if err := os.MkdirAll(p.path, 0o700); err != nil {
		return err
	}
	p.real, p.links, err = sandbox.Resolve(p.path)
	return err
}

func hasExtension(path string) bool {
	return filepath.Ext(strings.TrimLeft(filepath.Base(path), ".")) != ""
}

// maxFolders bounds how many places are remembered of one plugin.
const maxFolders = 64

// noteFolders remembers which places the plugin has had.
func (l *launcher) noteFolders(all []place) {
	l.remember(func(m *memory) {
		for _, p := range all {
			if !slices.Contains(m.Folders, p.path) {
				m.Folders = append(m.Folders, p.path)
			}
		}
		m.Folders = m.Folders[max(0, len(m.Folders)-maxFolders):]
	})
}

// trust leaves out what the plugin itself could redirect, by a link in one of
// the other places or in its data folder, and what lies in another place anyway.
func (l *launcher) trust(all []place, n *named) {
	data, err := filepath.EvalSymlinks(l.dataDir)
	if err != nil {
		data = l.dataDir
	}
	for i, p := range all {
		covered := sandbox.Within(data, p.real)
		for j, other := range all {
			inOther := sandbox.Within(other.real, p.real) && (p.real != other.real || j < i)
			covered = covered || i != j && inOther
		}
		owned := func(link string) bool {
			return sandbox.Within(data, link) || slices.ContainsFunc(all, func(o place) bool { return sandbox.Within(o.real, link) })
		}
		switch {
		case covered:
		case slices.ContainsFunc(p.links, owned):
			n.remarks = append(n.remarks, remark{p.path, errRedirectable})
		default:
			n.places = append(n.places, p.real)
		}
	}
	slices.Sort(n.places)
}
