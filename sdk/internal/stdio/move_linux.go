package stdio

import (
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// moveStdout duplicates descriptor 1 and lets 1 itself mean standard error.
// Dup3, because some Linux architectures have no dup2.
func moveStdout() (*os.File, error) {
	fd, err := unix.FcntlInt(1, unix.F_DUPFD_CLOEXEC, 3)
	if err != nil {
		return nil, fmt.Errorf("duplicate standard output: %w", err)
	}
	if err := unix.Dup3(2, 1, 0); err != nil {
		return nil, fmt.Errorf("redirect standard output: %w", err)
	}
	return os.NewFile(uintptr(fd), "handshake"), nil
}
