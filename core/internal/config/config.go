package config

import (
	"time"

	"github.com/salita-mesh/salita/core/internal/mesh"
)

// Config is everything that can be configured. All paths are absolute.
type Config struct {
	File    string // the file that was read; "" when there is none
	DataDir string

	Device    Device
	Server    Server
	Discovery Discovery
	Tokens    Tokens
	Pairing   Pairing
	Storage   Storage
	Log       Log

	Certificate Certificate

	PluginDirs []string // in addition to the default folders
	Plugins    []Plugin // in the file's order, each name once
}

// Device is about this device.
type Device struct {
	Name string // clean; "" when not configured: the host name
}

// Server is where the gateway listens.
type Server struct {
	Address string   // host:port; the host may be empty, the port 0
	Names   []string // host names that browsers may call it by, besides its own
}

// Discovery is how other devices are found and watched.
type Discovery struct {
	MDNS     bool
	Interval time.Duration // between two checks of a device
	Timeout  time.Duration // of one check
}

// Tokens is how long access lasts; see mesh.TokenPolicy.
type Tokens struct {
	Lifetime    time.Duration
	RenewWithin time.Duration // less than Lifetime
}

// Pairing is what a pairing window allows and gives.
type Pairing struct {
	Window   time.Duration
	Attempts int
	Grant    mesh.Grant // what a newly paired device may do
}

// Storage is where the database is.
type Storage struct {
	Path string
}

// Log is what is logged and how.
type Log struct {
	Level  string // trace, debug, info, warn, error or off
	Format string // text or json
}

// Certificate is the owner's own certificate for browsers. Both are set, or
// neither: then the gateway makes its own.
type Certificate struct {
	File string // the certificate and those of its issuers, PEM
	Key  string // its private key, PEM; may be the same file
}

// Plugin is one plugin block.
type Plugin struct {
	Name    string
	Enabled bool
	SHA256  string   // lower-case hex digest the program must have; "" allows any
	Env     []string // environment variables passed through
	Block   Block    // the plugin's own settings

	Unconfined bool // it may touch whatever this user may
}

// Block is the text between the braces of a config block, byte for byte, with
// the place where it begins. The zero value is an absent block; an empty block
// has an empty Source that is not nil.
type Block struct {
	Filename string
	Source   []byte
	Line     int // from 1
	Column   int // from 1, in grapheme clusters
	Byte     int // from 0
}

// Default is the configuration without a file, environment and flags. Its
// DataDir is empty and its Storage.Path relative.
func Default() Config {
	return Config{
		Server:    Server{Address: "0.0.0.0:6969"},
		Discovery: Discovery{MDNS: true, Interval: 60 * time.Second, Timeout: 2 * time.Second},
		Tokens:    Tokens{Lifetime: 30 * 24 * time.Hour, RenewWithin: 7 * 24 * time.Hour},
		Pairing: Pairing{
			Window: 5 * time.Minute, Attempts: 5,
			Grant: mesh.Grant{"media:*", "posts:*", mesh.DevicesRead},
		},
		Storage: Storage{Path: "salita.db"},
		Log:     Log{Level: "info", Format: "text"},
	}
}
