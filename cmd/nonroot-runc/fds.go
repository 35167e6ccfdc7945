// SPDX-License-Identifier: Apache-2.0

package main

import (
	"errors"
	"fmt"
	"os"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/runcargs"
)

// firstFD is the first descriptor after stdin, stdout and stderr.
const firstFD = 3

// preservedFDs checks that the caller opened each descriptor that is passed to the container: otherwise one of runc's
// own with that number would be passed. A directory or an O_PATH handle leads out of the container by ".."; neither is
// passed on (SECURITY.md C14). It must run before anything else is opened. Standard input, output and error are passed
// in any case, open or not.
func preservedFDs(cmd *runcargs.Command) error {
	for fd := range firstFD {
		if leadsOut(fd) {
			return fmt.Errorf("file descriptor %d is an open directory or an O_PATH handle, which leads out of the container\nhint: pass an open file, pipe or terminal", fd)
		}
	}
	for fd := firstFD; fd < firstFD+cmd.PreserveFDs+listenFDs(); fd++ {
		// Go's runtime opened some for itself before main (cgroup files, for the number of processors). They are
		// close-on-exec, which an inherited one never is.
		own, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || own&unix.FD_CLOEXEC != 0 {
			return fmt.Errorf("file descriptor %d is to be passed to the container, but is not open\nhint: lower --preserve-fds or LISTEN_FDS, or open it", fd)
		}
		if leadsOut(fd) {
			return fmt.Errorf("file descriptor %d is to be passed to the container, but is an open directory or an O_PATH handle, which leads out of it\nhint: pass an open file, pipe or socket", fd)
		}
	}
	return nil
}

// leadsOut reports whether an open descriptor is a directory or an O_PATH handle.
func leadsOut(fd int) bool {
	var st unix.Stat_t
	flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
	if errors.Is(err, unix.EBADF) {
		return false // not open
	}
	if err == nil {
		err = unix.Fstat(fd, &st)
	}
	return err != nil || flags&unix.O_PATH != 0 || st.Mode&unix.S_IFMT == unix.S_IFDIR
}

// ownNull replaces standard descriptors that are the host's null device by a new one. crun's exec, and its create of a
// container with a user namespace, chown them to the container's user. That includes the inode of the host's /dev/null,
// which that user could then close to the whole host (crun before 1.24, src/libcrun/container.c). runc leaves a null
// device alone. In a rootless user namespace, where no device can be created, crun can't chown the host's either.
func ownNull(hostRoot bool) error {
	null := -1
	for fd := range firstFD {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR || st.Rdev != unix.Mkdev(1, 3) {
			continue
		}
		if null < 0 {
			var err error
			if null, err = makeNull(); err != nil {
				if !hostRoot {
					return nil
				}
				return wrap(err, "make a null device, as crun would give the host's to the container")
			}
		}
		if err := unix.Dup3(null, fd, 0); err != nil {
			return wrap(err, "replace a null device")
		}
	}
	return nil
}

// makeNull opens a null device on a file system that is mounted nowhere, and disappears with the descriptor.
func makeNull() (int, error) {
	fs, err := unix.Fsopen("tmpfs", unix.FSOPEN_CLOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(fs)
	if err := unix.FsconfigCreate(fs); err != nil {
		return -1, err
	}
	mount, err := unix.Fsmount(fs, unix.FSMOUNT_CLOEXEC, unix.MOUNT_ATTR_NOSUID|unix.MOUNT_ATTR_NOEXEC)
	if err != nil {
		return -1, err
	}
	defer unix.Close(mount)
	if err := unix.Mknodat(mount, "null", unix.S_IFCHR|0o666, int(unix.Mkdev(1, 3))); err != nil { // #nosec G115 -- a small number
		return -1, err
	}
	return unix.Openat(mount, "null", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
}

// listenFDs returns how many sockets systemd's protocol passed to this process; 0 if they were meant for another one.
func listenFDs() int {
	n, err := strconv.Atoi(os.Getenv("LISTEN_FDS"))
	if err != nil || n < 0 {
		return 0
	}
	if pid, ok := os.LookupEnv("LISTEN_PID"); ok && pid != strconv.Itoa(os.Getpid()) {
		return 0
	}
	return min(n, runcargs.MaxPreserveFDs)
}

// sealed writes a document into memory that can no longer be changed, and returns a path by which the next runtime
// reads it. Its descriptor is above all that are preserved, so it isn't one of them.
func sealed(name string, data []byte, cmd *runcargs.Command) (string, error) {
	low, err := unix.MemfdCreate(name, unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return "", wrap(err, "make a file in memory")
	}
	for rest := data; len(rest) > 0; {
		n, err := unix.Write(low, rest)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return "", wrap(err, "fill a file in memory")
		}
		rest = rest[n:]
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(low), unix.F_ADD_SEALS, seals); err != nil {
		return "", wrap(err, "seal a file in memory")
	}
	fd, err := inherited(low, cmd)
	return "/proc/self/fd/" + strconv.Itoa(fd), err
}

// inherited duplicates a descriptor so that the next runtime keeps it and the container doesn't get it.
func inherited(fd int, cmd *runcargs.Command) (int, error) {
	above := firstFD + cmd.PreserveFDs + listenFDs()
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, above)
	return fd, wrap(err, "duplicate a file descriptor")
}
