package core

import "github.com/salita-mesh/salita/core/internal/sandbox"

// EnterSandbox comes first in the main function of a program that uses New or
// Check. In a process that was started to become a plugin, it restricts the
// process, runs the plugin's program in its place and does not return; in every
// other one it does nothing.
func EnterSandbox() { sandbox.Main() }
