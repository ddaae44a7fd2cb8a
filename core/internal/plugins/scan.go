package plugins

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/salita-mesh/salita/sdk"
)

// filePrefix begins the file name of every plugin program.
const filePrefix = "salita-plugin-"

// program is a plugin's file as a scan found it.
type program struct {
	name    string
	dir     string // the plugin folder, links resolved
	path    string // "" when there is none
	id      fileID // of what path leads to
	problem error  // why it may not be run; an sdk.Error with a plain sentence
	twin    string // path of another program for the same plugin in the folder; "" for none
}

// same reports whether nothing has changed that matters to who runs it.
func (p program) same(q program) bool {
	return p.path == q.path && p.id.content() == q.id.content() && sentence(p.problem) == sentence(q.problem)
}

func sentence(err error) string {
	if err == nil {
		return ""
	}
	return sdk.AsError(err).Friendly()
}

// double is a second program for one plugin.
type double struct{ used, ignored program }

// merge puts what several folders hold together. The first program of a name is
// the one that counts.
func merge(folders [][]program) (byName map[string]program, doubles []double) {
	byName = make(map[string]program)
	for _, p := range slices.Concat(folders...) {
		if first, taken := byName[p.name]; taken {
			doubles = append(doubles, double{used: first, ignored: p})
			continue
		}
		byName[p.name] = p
		if p.twin != "" {
			doubles = append(doubles, double{used: p, ignored: program{name: p.name, path: p.twin}})
		}
	}
	return byName, doubles
}

// scanDir lists the plugin programs of one folder, by name. One bad file never
// hides another; a folder that does not exist holds nothing.
func scanDir(dir string) ([]program, error) {
	resolved, err := filepath.EvalSymlinks(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if resolved, err = filepath.Abs(resolved); err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(resolved)
	if err != nil {
		return nil, err
	}
	var found []program
	for _, e := range entries {
		name, ok := strings.CutPrefix(e.Name(), filePrefix)
		if !ok {
			continue
		}
		p := program{name: strings.TrimSuffix(name, ".exe"), dir: resolved, path: filepath.Join(resolved, e.Name())}
		if i := slices.IndexFunc(found, func(q program) bool { return q.name == p.name }); i >= 0 {
			found[i].twin = p.path // with and without the suffix; the one without comes first
			continue
		}
		p.id, _ = identify(p.path)
		p.problem = p.check()
		found = append(found, p)
	}
	return found, nil
}

// check says why the program may not be run, or nil. It is asked again right
// before each launch, because files change.
func (p program) check() error {
	if !sdk.ValidName(p.name) {
		return refusal("The name of %s is not a plugin's: after %q come lower-case letters, digits and dashes.", p.path, filePrefix)
	}
	target, err := filepath.EvalSymlinks(p.path)
	if err != nil {
		return refusal("%s leads nowhere.", p.path).Because(err)
	}
	if filepath.Dir(target) != p.dir {
		return refusal("%s is a link that leaves its folder. Put the program itself there.", p.path)
	}
	info, err := os.Stat(target)
	if err != nil {
		return refusal("%s can't be read.", p.path).Because(err)
	}
	switch {
	case info.IsDir():
		return refusal("%s is a folder, not a program.", p.path)
	case !info.Mode().IsRegular():
		return refusal("%s is not a regular file.", p.path)
	case !executable(info):
		return refusal("%s is not executable. Run: chmod +x %s", p.path, quoted(p.path))
	}
	if err := checkOwnership(p.path, info); err != nil {
		return err
	}
	dir, err := os.Stat(p.dir)
	if err != nil {
		return refusal("%s can't be read.", p.dir).Because(err)
	}
	return checkOwnership(p.dir, dir)
}

// refusal is a program that is not run, with the reason and the cure. Trying
// again is useless until the file changes.
func refusal(format string, args ...any) *sdk.Error {
	return sdk.Errorf(sdk.Forbidden, format, args...)
}

// quoted makes a path safe to paste into a shell.
func quoted(path string) string {
	plain := func(r rune) bool {
		return strings.ContainsRune("/._-+", r) || (r >= '0' && r <= '9') || (r >= 'a' && r <= 'z') || (r >= 'A' && r <= 'Z')
	}
	if !strings.ContainsFunc(path, func(r rune) bool { return !plain(r) }) {
		return path
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

// missing is a plugin that the configuration enables but no folder holds.
func missing(name string, dirs []string) *sdk.Error {
	dirs = slices.Compact(slices.Clone(dirs))
	return sdk.Errorf(sdk.NotFound, "No program %s%s in %s.", filePrefix, name, strings.Join(dirs, ", ")).
		Because(fmt.Errorf("plugin %q: no program found", name))
}
