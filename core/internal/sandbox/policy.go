package sandbox

// Policy is what a program may do. Paths are absolute; those that do not exist
// when the program starts are left out. A folder stands for everything below it.
type Policy struct {
	// ReadOnly may be read and executed.
	ReadOnly []string `json:"ro,omitempty"`
	// ReadWrite may be read, written and changed in every way, but not executed:
	// what a program can write, it cannot run. The paths must be free of symbolic
	// links, see Resolve; one that has got some in the meantime is left out.
	ReadWrite []string `json:"rw,omitempty"`
	// MaxFiles is how many descriptors each process may have open; 0 leaves that
	// to the system.
	MaxFiles uint64 `json:"files,omitempty"`
	// MaxMemory is how many bytes of private writable memory each process may map;
	// 0 leaves that to the system.
	MaxMemory uint64 `json:"memory,omitempty"`
}

// Support says what this system, and this program, can enforce.
type Support struct {
	// Process reports whether Policy.Start restricts anything at all.
	Process bool
	// Landlock is the version of the kernel's interface for restricting files; 0
	// when files are not restricted. From 6 on signals and abstract sockets are
	// kept in, from 9 on the sockets of other programs are out of reach.
	Landlock int
}

// leastMemory is what every program may have, however small the machine.
const leastMemory = 1 << 30

// DefaultMemory is a value for Policy.MaxMemory: half of the machine's memory,
// and at least 1 GiB. It is 0 where the size is not known, and in programs built
// with the race detector: those map terabytes that they never use, and start
// others of their kind.
func DefaultMemory() uint64 {
	total := physicalMemory()
	if raceDetector || total == 0 {
		return 0
	}
	return max(total/2, leastMemory)
}
