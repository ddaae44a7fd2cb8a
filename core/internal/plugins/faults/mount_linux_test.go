package faults

import "syscall"

// mountSmall puts a drive of 1 MiB over the folder.
func mountSmall(dir string) (unmount func() error, err error) {
	err = syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=1m")
	return func() error { return syscall.Unmount(dir, syscall.MNT_DETACH) }, err
}
