package socket

import (
	"errors"
	"io"
	"io/fs"
	"net"
	"os"
	"syscall"

	"golang.org/x/sys/unix"
)

// file is an *os.File, or the form of it that io.Copy passes on.
type file interface {
	syscall.Conn
	Stat() (fs.FileInfo, error)
}

// sendFile sends a regular file, or a limited piece of one, from its current
// offset by sendfile(2), which net does for TCP alone. It reports false, with
// nothing sent, when src is something else or the file system cannot do it.
func sendFile(dst *net.UnixConn, src io.Reader) (int64, bool, error) {
	limited, _ := src.(*io.LimitedReader)
	remain := int64(1<<63 - 1)
	if limited != nil {
		src, remain = limited.R, limited.N
	}
	f, ok := src.(file)
	if !ok || remain <= 0 {
		return 0, false, nil
	}
	info, err := f.Stat()
	if err != nil || !info.Mode().IsRegular() {
		return 0, false, nil
	}
	from, err := f.SyscallConn()
	if err != nil {
		return 0, false, nil
	}
	to, err := dst.SyscallConn()
	if err != nil {
		return 0, false, nil
	}
	written, err := sendFileLoop(to, from, remain)
	if limited != nil {
		limited.N -= written
	}
	if written == 0 && unsupported(err) {
		return 0, false, nil
	}
	return written, true, os.NewSyscallError("sendfile", err)
}

// sendFileLoop sends until remain bytes are gone or the file ends. It waits
// for room in the socket where a write would, write deadlines included.
func sendFileLoop(to, from syscall.RawConn, remain int64) (written int64, err error) {
	const most = 4 << 20 // per call, so that closing either side is noticed soon
	var sendErr error
	controlErr := from.Control(func(in uintptr) {
		err = to.Write(func(out uintptr) bool {
			for written < remain {
				n, err := unix.Sendfile(int(out), int(in), nil, int(min(remain-written, most)))
				if n > 0 {
					written += int64(n)
				}
				switch {
				case err == unix.EINTR:
				case err == unix.EAGAIN:
					return false
				case err != nil:
					sendErr = err
					return true
				case n == 0:
					return true // the file ended
				}
			}
			return true
		})
	})
	return written, errors.Join(controlErr, err, sendErr)
}

func unsupported(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.ENOSYS) || errors.Is(err, unix.EOPNOTSUPP)
}
