package plugins

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"

	"github.com/salita-mesh/salita/sdk"
)

// checkPin refuses a copy that does not have the digest which the configuration
// demands; "" demands none.
func checkPin(c *programCopy, digest string) error {
	if digest == "" {
		return nil
	}
	digest = strings.ToLower(digest)
	if raw, err := hex.DecodeString(digest); err != nil || len(raw) != sha256.Size {
		return permanent(sdk.Errorf(sdk.Invalid, "The sha256 in the configuration is not one: want %d hex digits.", 2*sha256.Size))
	}
	if c.inPlace != nil {
		return c.inPlace // what was verified could be exchanged before it is run
	}
	sum, err := c.sum()
	if err != nil {
		return err
	}
	if sum != digest {
		return permanent(sdk.Errorf(sdk.Forbidden, "%s is not the program that the configuration allows. If you changed it on purpose, set sha256 = %q.", c.source, sum).
			Because(fmt.Errorf("sha256 of %s is %s, want %s", c.source, sum, digest)))
	}
	return nil
}
