//go:build !linux || android

package sandbox

import (
	"net"
	"os/exec"
)

// Main does nothing on this system.
func Main() {}

// Supported says what Policy.Start enforces here: nothing.
func Supported() Support { return Support{} }

// Start starts the command; this system restricts nothing.
func (p Policy) Start(cmd *exec.Cmd) error { return cmd.Start() }

// Confined is always false: this system restricts nothing.
func Confined(net.Conn) bool { return false }

func physicalMemory() uint64 { return 0 }
