package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/salita-mesh/salita/sdk"
)

// pinned returns a private copy of the program whose content has the digest, so
// that nobody can exchange the file between the check and the start. The bytes
// are hashed while they are copied, at every launch. cache is a folder that only
// this user may write to; it is created.
func pinned(path, cache, digest string) (string, error) {
	digest = strings.ToLower(digest)
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != sha256.Size {
		return "", permanent(sdk.Errorf(sdk.Invalid, "The sha256 in the configuration is not one: want %d hex digits.", 2*sha256.Size))
	}
	if err := os.MkdirAll(cache, 0o700); err != nil {
		return "", fmt.Errorf("make folder for verified programs: %w", err)
	}
	temp, sum, err := copyHashed(path, cache)
	if err != nil {
		return "", fmt.Errorf("copy program to verify it: %w", err)
	}
	if sum != digest {
		return "", errors.Join(mismatch(path, digest, sum), os.Remove(temp))
	}
	return keep(temp, filepath.Join(cache, filepath.Base(path)+"."+digest))
}

func mismatch(path, want, got string) error {
	return permanent(sdk.Errorf(sdk.Forbidden, "%s is not the program that the configuration allows. If you changed it on purpose, set sha256 = %q.", path, got).
		Because(fmt.Errorf("sha256 of %s is %s, want %s", path, got, want)))
}

// copyHashed copies the file into a new one in the folder, readable and
// executable by its owner, and returns its name and digest.
func copyHashed(path, dir string) (temp, sum string, err error) {
	src, err := os.Open(path)
	if err != nil {
		return "", "", err
	}
	defer src.Close()
	dst, err := os.CreateTemp(dir, ".new-")
	if err != nil {
		return "", "", err
	}
	hash := sha256.New()
	_, err = io.Copy(io.MultiWriter(dst, hash), src)
	err = errors.Join(err, dst.Chmod(0o500), dst.Close())
	if err != nil {
		return "", "", errors.Join(err, os.Remove(dst.Name()))
	}
	return dst.Name(), hex.EncodeToString(hash.Sum(nil)), nil
}

// keep gives the verified copy its final name and removes copies of earlier
// digests. A running process keeps the file it was started from.
func keep(temp, final string) (string, error) {
	if err := os.Rename(temp, final); err != nil {
		return "", errors.Join(fmt.Errorf("keep verified program: %w", err), os.Remove(temp))
	}
	dir, name := filepath.Split(final)
	program := strings.TrimSuffix(name, filepath.Ext(name)) + "."
	entries, _ := os.ReadDir(dir)
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), program) && e.Name() != name {
			_ = os.Remove(filepath.Join(dir, e.Name()))
		}
	}
	return final, nil
}
