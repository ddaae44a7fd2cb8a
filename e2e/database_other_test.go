//go:build !linux

package e2e

import "testing"

// newGatewayOnDisk starts a gateway; small disks are made on Linux only.
func newGatewayOnDisk(t *testing.T, name string) *gateway { return newGateway(t, name) }

func fillDisk(t *testing.T, _ *gateway) (end func()) {
	t.Skip("small disks that could be filled are made on Linux only")
	return nil
}
