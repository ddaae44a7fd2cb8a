package config

import (
	"crypto/sha256"
)

// Source is where one gateway's configuration comes from. It reads anew each
// time it is asked, with the flags, environment and working folder of its
// making.
type Source struct{ loader }

// NewSource returns the source that the options describe.
func NewSource(opts Options) (*Source, error) {
	l, err := newLoader(opts)
	if err != nil {
		return nil, err
	}
	return &Source{l}, nil
}

// Reading is what the configuration says at one moment.
type Reading struct {
	Config Config // the zero Config when Err is not nil
	Err    error  // an *Error
	File   string // the file that counts, be it right or wrong; "" when there is none

	source []byte // what is in the file; nil when it cannot be read
	digest [sha256.Size]byte
}

// Same reports whether nothing that matters changed from one reading to the
// other.
func (r Reading) Same(other Reading) bool {
	return r.SameContent(other) && text(r.Err) == text(other.Err)
}

// SameContent reports whether both readings found the same file with the same
// content, whatever was thought of it.
func (r Reading) SameContent(other Reading) bool {
	return r.File == other.File && r.digest == other.digest && (r.source == nil) == (other.source == nil)
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// Read finds, reads and checks the configuration; see Load.
func (s *Source) Read() Reading {
	var r Reading
	var source []byte
	r.File, source, r.Err = s.read()
	r.source, r.digest = source, sha256.Sum256(source)
	if r.Err == nil {
		r.Config, r.Err = s.interpret(r.File, source)
	}
	return r
}

// interpret makes a Config of what is in the file; source is nil without one.
func (l loader) interpret(file string, source []byte) (c Config, err error) {
	c = Default()
	c.File = file
	if c.DataDir, err = l.dataDir(); err != nil {
		return Config{}, err
	}
	if source != nil {
		if diags := decode(source, file, &c); diags.HasErrors() {
			return Config{}, fileError(diags, file, source)
		}
	}
	if err := l.override(&c); err != nil {
		return Config{}, err
	}
	if err := l.resolve(&c); err != nil {
		return Config{}, err
	}
	return c, nil
}
