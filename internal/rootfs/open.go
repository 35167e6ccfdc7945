// SPDX-License-Identifier: Apache-2.0

package rootfs

import (
	"errors"
	"strconv"

	"golang.org/x/sys/unix"
)

// MaxFile limits how much of one file is read. A passwd of 10,000 users has about 600 kB.
const MaxFile = 1 << 20

// inRoot keeps a lookup below its directory, whatever links and ".." say, and away from /proc's magic links, which
// lead anywhere.
const inRoot = unix.RESOLVE_IN_ROOT | unix.RESOLVE_NO_MAGICLINKS

// errLarge reports that a file is larger than MaxFile.
var errLarge = errors.New("it is larger than 1 MiB")

// fault rewords a system call's failure. Engines look for the kernel's usual words in a runtime's message and derive
// exit codes from them (cmd/nonroot-runc/message.go), so ours must not contain them.
type fault struct{ err error }

func (f fault) Unwrap() error { return f.err }

func (f fault) Error() string {
	switch {
	case errors.Is(f.err, unix.ENOENT):
		return "it does not exist"
	case errors.Is(f.err, unix.EACCES):
		return "access to it is refused"
	case errors.Is(f.err, unix.EPERM):
		return "the kernel does not let us"
	case errors.Is(f.err, unix.ENOTDIR):
		return "it is, or is in, something other than a directory"
	case errors.Is(f.err, unix.ELOOP):
		return "a symbolic link is on the way"
	case errors.Is(f.err, unix.ENOSYS):
		return "this kernel has no openat2 (Linux 5.6 or newer is needed)"
	}
	return f.err.Error()
}

// openat2 opens a path, close-on-exec. The kernel asks for another try if it can't tell whether a concurrent rename
// made ".." unsafe (EAGAIN).
func openat2(dir int, p string, flags int, resolve uint64) (int, error) {
	how := unix.OpenHow{Flags: uint64(flags | unix.O_CLOEXEC), Resolve: resolve} // #nosec G115 -- flags are positive
	var err error
	for range 16 {
		var fd int
		fd, err = unix.Openat2(dir, p, &how)
		if err == nil {
			return fd, nil
		}
		if err != unix.EAGAIN && err != unix.EINTR {
			break
		}
	}
	return -1, fault{err}
}

// readFile reads the file of an O_PATH descriptor. The caller must know that it is a regular file: opening a pipe would
// hang, and opening a device may have any effect.
func readFile(fd int, size int64) ([]byte, error) {
	if size > MaxFile {
		return nil, errLarge
	}
	// Our own descriptor is the only magic link that may be followed.
	in, err := openat2(unix.AT_FDCWD, procPath(fd), unix.O_RDONLY|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(in)
	buf := make([]byte, 0, size+512)
	for {
		n, err := unix.Read(in, buf[len(buf):cap(buf)])
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return nil, fault{err}
		case n == 0:
			return buf, nil
		}
		// The size is only a hint: the file of a bind mount may grow.
		if buf = buf[:len(buf)+n]; len(buf) > MaxFile {
			return nil, errLarge
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// procPath returns a path by which this process can open one of its descriptors.
func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
