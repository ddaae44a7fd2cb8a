package identity

import (
	"crypto/tls"
	"fmt"
	"io/fs"
	"os"
)

// CertificateFiles name a certificate that the owner brings along, in PEM. The
// zero value names none.
type CertificateFiles struct {
	File string // the certificate, followed by those of its issuers
	Key  string // its private key, without a password; may be the same file
}

// ownCertificate is what the files held when they were read.
type ownCertificate struct {
	*tls.Certificate
	files     CertificateFiles
	file, key fs.FileInfo
}

// UseCertificate gives browsers the owner's own certificate from now on, or no
// longer with the zero value; other gateways never see it. Files that cannot be
// used are an *sdk.Error that names the file, and change nothing. A certificate
// whose time has not come yet is used, because a clock that is behind is more
// likely. RefreshCertificate, and with it Run, notices when the files change.
func (i *Identity) UseCertificate(files CertificateFiles) error {
	i.writing.Lock()
	defer i.writing.Unlock()
	if files == (CertificateFiles{}) {
		i.own.Store(nil)
		return nil
	}
	own, err := readOwn(files, i.now(), i.log)
	if err != nil {
		return err
	}
	i.own.Store(own)
	i.log.Info("own certificate in use", "file", files.File, "valid_until", own.Leaf.NotAfter)
	return nil
}

// refreshOwn reads the files again if they changed.
func (i *Identity) refreshOwn() error {
	own := i.own.Load()
	if own == nil {
		return nil
	}
	if own.unchanged() {
		if i.now().After(own.Leaf.NotAfter) {
			i.log.Warn("own certificate has expired", "file", own.files.File, "valid_until", own.Leaf.NotAfter)
		}
		return nil
	}
	// Unless this succeeds the state stays the old one, so the next look tries
	// again: whoever renews the files may be in the middle of it.
	fresh, err := readOwn(own.files, i.now(), i.log)
	if err != nil {
		return fmt.Errorf("own certificate not read again, the earlier one stays: %w", err)
	}
	i.own.Store(fresh)
	i.log.Info("own certificate read again", "file", own.files.File, "valid_until", fresh.Leaf.NotAfter)
	return nil
}

// unchanged compares what the files' folder says about them. It asks for
// sameness, not for later times: clocks jump, and restored files are old.
func (o *ownCertificate) unchanged() bool {
	same := func(path string, was fs.FileInfo) bool {
		is, err := os.Stat(path)
		return err == nil && os.SameFile(is, was) && is.Size() == was.Size() && is.ModTime().Equal(was.ModTime())
	}
	return same(o.files.File, o.file) && same(o.files.Key, o.key)
}
