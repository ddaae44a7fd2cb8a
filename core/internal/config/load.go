package config

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
)

// maxFile is the largest configuration file read, in bytes: some two thousand
// lines. HCL's parser takes time by the square of some hostile input, and stack
// by its length; see also checkNesting.
const maxFile = 64 << 10

// fileName is the name under which the file is looked for.
const fileName = "config.hcl"

// The environment variables that are read. An empty one counts as unset.
const (
	envFile     = "SALITA_CONFIG"
	envDataDir  = "SALITA_DATA_DIR"
	envAddress  = "SALITA_ADDRESS"
	envName     = "SALITA_NAME"
	envLogLevel = "SALITA_LOG_LEVEL"
)

// Options say where to look. The first four are the command line's flags; an
// empty one was not given.
type Options struct {
	File    string // --config; must exist
	DataDir string // --data-dir
	Address string // --address
	Name    string // --name

	Env     func(string) string // os.Getenv when nil
	WorkDir string              // what relative paths start from; the process's own when empty
}

// Load finds, reads and checks the configuration. The file is the first there is
// of --config, SALITA_CONFIG, config.hcl in the working folder and config.hcl in
// the data folder; having none is fine, but one that was named must exist. Flags
// beat SALITA_DATA_DIR, SALITA_ADDRESS, SALITA_NAME and SALITA_LOG_LEVEL, which
// beat the file. Whatever is wrong is an *Error.
func Load(opts Options) (Config, error) {
	source, err := NewSource(opts)
	if err != nil {
		return Config{}, err
	}
	reading := source.Read()
	return reading.Config, reading.Err
}

// loader is Options with their defaults filled in.
type loader struct {
	Options
	again bool // only what reads the same each time may be opened
}

func newLoader(opts Options) (loader, error) {
	if opts.Env == nil {
		opts.Env = os.Getenv
	}
	if opts.WorkDir == "" {
		dir, err := os.Getwd()
		if err != nil {
			return loader{}, problem("The current folder can't be told: %v.", err)
		}
		opts.WorkDir = dir
	}
	return loader{Options: opts}, nil
}

func (l loader) dataDir() (string, error) {
	return l.path(cmp.Or(l.DataDir, l.Env(envDataDir), "~/.salita"), l.WorkDir)
}

// candidate is a file that may be the configuration.
type candidate struct {
	path string
	by   string // what names it; "" for one that may be missing
}

// candidates are where the file is looked for, the best one first: the one that was
// named, or the two folders.
func (l loader) candidates() ([]candidate, error) {
	for _, named := range []candidate{{l.File, "--config"}, {l.Env(envFile), envFile}} {
		if named.path == "" {
			continue
		}
		path, err := l.path(named.path, l.WorkDir)
		return []candidate{{path, named.by}}, err
	}
	dataDir, err := l.dataDir()
	return []candidate{{path: filepath.Join(l.WorkDir, fileName)}, {path: filepath.Join(dataDir, fileName)}}, err
}

// read returns the file that counts and what is in it: nil if there is none.
func (l loader) read() (path string, source []byte, err error) {
	all, err := l.candidates()
	if err != nil {
		return "", nil, err
	}
	for _, p := range all {
		source, err := l.readFile(p.path)
		if !errors.Is(err, fs.ErrNotExist) {
			return p.path, source, err
		}
		if p.by != "" {
			return p.path, nil, problem("The configuration file %s that %s names doesn't exist.", p.path, p.by)
		}
	}
	return "", nil, nil
}

// errOnce means a pipe or device: it gives what it has only once, and opening it
// may take for ever.
var errOnce = errors.New("can't be read again")

// readFile returns a slice that is not nil, or an error: fs.ErrNotExist, errOnce
// or an *Error.
func (l loader) readFile(path string) ([]byte, error) {
	flags := os.O_RDONLY
	if l.again {
		flags |= syscall.O_NONBLOCK
	}
	f, err := os.OpenFile(path, flags, 0)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, problem("The configuration file %s can't be read: %v.", path, reason(err))
	}
	defer f.Close()
	if info, err := f.Stat(); l.again && err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return nil, errOnce
	}
	source, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, problem("The configuration file %s can't be read: %v.", path, reason(err))
	}
	if len(source) > maxFile {
		return nil, problem("The configuration file %s is larger than %d KiB.", path, maxFile>>10)
	}
	return source, nil
}

// reason is the error without the path, which the sentence has already.
func reason(err error) error {
	var e *fs.PathError
	if errors.As(err, &e) {
		return e.Err
	}
	return err
}

// override puts environment and flags over what the file said.
func (l loader) override(c *Config) error {
	for _, o := range []struct {
		by    string
		value string
		into  *string
		rule  rule
	}{
		{envName, l.Env(envName), &c.Device.Name, nameRule()},
		{"--name", l.Name, &c.Device.Name, nameRule()},
		{envAddress, l.Env(envAddress), &c.Server.Address, addressRule()},
		{"--address", l.Address, &c.Server.Address, addressRule()},
		{envLogLevel, l.Env(envLogLevel), &c.Log.Level, levelRule()},
	} {
		if o.value == "" {
			continue
		}
		value, ok := o.rule.clean(o.value)
		if !ok {
			return problem("%s is %q. Expected %s.", o.by, o.value, o.rule.expected)
		}
		*o.into = value
	}
	return nil
}

// resolve makes the paths absolute.
func (l loader) resolve(c *Config) (err error) {
	if c.Storage.Path, err = l.path(c.Storage.Path, c.DataDir); err != nil {
		return err
	}
	beside := make([]*string, 0, len(c.PluginDirs)+2)
	for i := range c.PluginDirs {
		beside = append(beside, &c.PluginDirs[i])
	}
	if c.Certificate != (Certificate{}) {
		beside = append(beside, &c.Certificate.File, &c.Certificate.Key)
	}
	for _, path := range beside {
		if *path, err = l.path(*path, filepath.Dir(c.File)); err != nil {
			return err
		}
	}
	return nil
}

// path makes a path absolute: "~" is the home folder, and a relative one starts
// from base.
func (l loader) path(path, base string) (string, error) {
	rest, home := strings.CutPrefix(path, "~")
	if home && (rest == "" || os.IsPathSeparator(rest[0])) {
		dir, err := l.home()
		return filepath.Join(dir, rest), err
	}
	if !filepath.IsAbs(path) {
		path = filepath.Join(base, path)
	}
	return filepath.Clean(path), nil
}

func (l loader) home() (string, error) {
	variable := "HOME"
	if runtime.GOOS == "windows" {
		variable = "USERPROFILE"
	}
	home := l.Env(variable)
	if !filepath.IsAbs(home) {
		return "", problem("The home folder is unknown: the environment variable %s is %q. Set it, or use --data-dir and full paths.", variable, home)
	}
	return home, nil
}

// problem is an error that is not in the file.
func problem(format string, args ...any) *Error {
	return &Error{diagnostics: []Diagnostic{{Message: fmt.Sprintf(format, args...)}}}
}
