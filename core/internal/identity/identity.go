package identity

import (
	"crypto/cipher"
	"crypto/ecdsa"
	"crypto/tls"
	"fmt"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"
	"github.com/hashicorp/go-hclog"

	"github.com/salita-mesh/salita/core/internal/mesh"
	"github.com/salita-mesh/salita/sdk"
)

// The files of this room in the data folder.
const (
	lockFile        = "salita.lock"
	keyFile         = "device.key"
	certificateFile = "device.crt"
	recordFile      = "node_identity.json"

	// These exist with the local certificate authority only.
	authorityKeyFile = "ca.key"
	authorityFile    = "ca.crt"
	signedFile       = "browser.crt"
)

// Options are what Open may be told; the zero value is fine.
type Options struct {
	// Name is the name the owner configured. It is used on the first start, and
	// again whenever it differs from the one configured at the last start, so
	// that a later Rename and a later edit of the configuration both count.
	// Empty means not configured: the host name, on the first start only.
	Name string
	// Now is the clock; time.Now when nil.
	Now func() time.Time
	// Hosts returns the host names and IP addresses the certificate should be
	// valid for; LocalHosts when nil.
	Hosts func() []string
	// Certificate names the owner's own certificate for browsers; none when zero.
	// See UseCertificate.
	Certificate CertificateFiles
	// Log receives what was mended or renewed; nothing is logged when nil.
	Log hclog.Logger
}

// Identity is this device. It holds the data folder's lock until Close. All
// methods may be called from several goroutines.
type Identity struct {
	dir   string
	now   func() time.Time
	hosts func() []string
	log   hclog.Logger
	lock  *flock.Flock

	made    bool // the key was made by this Open
	key     *ecdsa.PrivateKey
	keyHash mesh.KeyHash
	sealer  cipher.AEAD

	writing     sync.Mutex // held while changing what follows, on disk and here
	record      atomic.Pointer[record]
	certificate atomic.Pointer[tls.Certificate] // self-signed; never nil
	authority   atomic.Pointer[authority]       // nil without
	signed      atomic.Pointer[tls.Certificate] // by the authority; nil without, or before and after its time
	own         atomic.Pointer[ownCertificate]  // the owner's; nil without
}

// Open prepares the data folder (made with mode 0700 when missing), takes its
// lock and loads the identity in it, or makes one on the first start. A folder
// or key that others can read is mended and logged when that is possible, and
// refused otherwise. What the owner can mend is an *sdk.Error whose sentence names
// the file.
//
// Each file appears whole or not at all, key first, so that a start interrupted
// anywhere is completed by the next one with the same identity.
func Open(dir string, opts Options) (*Identity, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("data folder: %w", err)
	}
	i := &Identity{dir: dir, now: opts.Now, hosts: opts.Hosts, log: opts.Log}
	if i.now == nil {
		i.now = time.Now
	}
	if i.hosts == nil {
		i.hosts = LocalHosts
	}
	if i.log == nil {
		i.log = hclog.NewNullLogger()
	}
	if err := prepareFolder(dir, i.log); err != nil {
		return nil, err
	}
	if i.lock, err = lockFolder(dir); err != nil {
		return nil, err
	}
	err = i.load(opts.Name)
	if err == nil {
		err = i.UseCertificate(opts.Certificate)
	}
	if err != nil {
		i.lock.Close()
		return nil, err
	}
	return i, nil
}

// load reads or makes the files. It runs under the folder's lock.
func (i *Identity) load(configuredName string) error {
	if err := sweepTemporary(i.dir); err != nil {
		return err
	}
	rec, found, err := readRecord(i.path(recordFile))
	if err != nil {
		return err
	}
	if i.key, err = i.loadKey(rec, found); err != nil {
		return err
	}
	if i.keyHash, err = hashOf(i.key); err != nil {
		return err
	}
	if i.sealer, err = newSealer(i.key); err != nil {
		return err
	}
	if err := i.settleRecord(rec, found, configuredName); err != nil {
		return err
	}
	if err := i.loadCertificate(); err != nil {
		return err
	}
	i.loadAuthority()
	return nil
}

// loadKey reads the key, or makes one where there is no identity yet. A
// missing key next to an identity that was derived from one is an error: a new
// key would be a different device, which no other device knows.
func (i *Identity) loadKey(rec record, recordFound bool) (*ecdsa.PrivateKey, error) {
	path := i.path(keyFile)
	key, found, err := readKey(path, i.log, damaged)
	if err != nil || found {
		return key, err
	}
	if recordFound && !rec.legacy() {
		return nil, damaged("This device's key is missing: %s belongs to %s.", path, i.path(recordFile))
	}
	i.made = true
	return createKey(path)
}

// settleRecord makes the record agree with the key and the configured name, and
// writes it when that changed it.
func (i *Identity) settleRecord(stored record, found bool, configuredName string) error {
	settled := stored
	settled.ID = i.keyHash.DeviceID()
	switch {
	case !found:
	case stored.legacy():
		if err := keepLegacyRecord(i.dir, stored.ID); err != nil {
			return err
		}
	case stored.ID != settled.ID:
		return damaged("%s and %s belong to two different devices.", i.path(recordFile), i.path(keyFile))
	}
	settled.applyName(mesh.CleanName(configuredName))
	if settled.CreatedAt.IsZero() {
		settled.CreatedAt = i.now().UTC().Truncate(time.Second)
	}
	i.record.Store(&settled)
	if found && settled == stored {
		return nil
	}
	return writeRecord(i.path(recordFile), settled)
}

func (i *Identity) path(name string) string { return filepath.Join(i.dir, name) }

// ID is this device's id, derived from its key.
func (i *Identity) ID() mesh.DeviceID { return i.keyHash.DeviceID() }

// Made reports whether Open made this identity, because there was none yet.
func (i *Identity) Made() bool { return i.made }

// Key is the hash of this device's public key, by which others pin it.
func (i *Identity) Key() mesh.KeyHash { return i.keyHash }

// Name is this device's name as people see it.
func (i *Identity) Name() string { return i.record.Load().Name }

// CreatedAt is when this device first started.
func (i *Identity) CreatedAt() time.Time { return i.record.Load().CreatedAt }

// Rename gives the device another name, cleaned by mesh.CleanName. When it
// returns nil the name is on disk and survives a crash; on an error the old name
// stays.
func (i *Identity) Rename(name string) error {
	name = mesh.CleanName(name)
	if name == "" {
		return sdk.Errorf(sdk.Invalid, "A device needs a name.")
	}
	i.writing.Lock()
	defer i.writing.Unlock()
	renamed := *i.record.Load()
	renamed.Name = name
	if err := writeRecord(i.path(recordFile), renamed); err != nil {
		return err
	}
	i.record.Store(&renamed)
	return nil
}

// Configured takes over the name that the owner configures while the gateway
// runs, as Options.Name does at a start: it counts when it is another than the
// one configured before, and "" leaves the name as it is.
func (i *Identity) Configured(name string) error {
	i.writing.Lock()
	defer i.writing.Unlock()
	was := *i.record.Load()
	is := was
	is.applyName(mesh.CleanName(name))
	if is == was {
		return nil
	}
	if err := writeRecord(i.path(recordFile), is); err != nil {
		return err
	}
	i.record.Store(&is)
	return nil
}

// Close releases the data folder for another instance. The identity may not be
// used to write afterwards.
func (i *Identity) Close() error {
	if err := i.lock.Close(); err != nil {
		return fmt.Errorf("release data folder: %w", err)
	}
	return nil
}

// damaged is the error for files that only the owner can put right.
func damaged(format string, args ...any) *sdk.Error {
	e := sdk.Errorf(sdk.Invalid, format, args...)
	e.Hint = "putting the files back from a backup; nothing was changed. Or move both " + keyFile + " and " + recordFile +
		" out of the folder to start as a new device, which your other devices have to be paired with again."
	return e
}
