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

// firstFD is the first descriptor behind stdin, stdout and stderr.
const firstFD = 3

// preservedFDs makes sure that each descriptor which is handed to the container was opened by the caller: where one is
// missing, runc's own of that number would go there. A folder or an O_PATH handle leads out of the container, by "..";
// neither is passed on (SECURITY.md C14). It must run before anything else is opened.
func preservedFDs(cmd *runcargs.Command) error {
	for fd := firstFD; fd < firstFD+cmd.PreserveFDs+listenFDs(); fd++ {
		// Go's runtime has opened some for itself before main (cgroup files, to know how many processors there are).
		// They close on exec, which an inherited one never does.
		own, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		if err != nil || own&unix.FD_CLOEXEC != 0 {
			return fmt.Errorf("file descriptor %d is to be passed to the container, but is not open: lower --preserve-fds or LISTEN_FDS, or open it", fd)
		}
		var st unix.Stat_t
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFL, 0)
		if err == nil {
			err = unix.Fstat(fd, &st)
		}
		if err != nil || flags&unix.O_PATH != 0 || st.Mode&unix.S_IFMT == unix.S_IFDIR {
			return fmt.Errorf("file descriptor %d is to be passed to the container, but is a folder or a path handle, which leads out of it: pass an open file, pipe or socket", fd)
		}
	}
	return nil
}

// listenFDs is how many sockets were passed by systemd's protocol to this very process; 0 where they were meant for
// another one.
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

// sealed puts a document where nobody can change it any more, and gives a path by which the next runtime reads it. Its
// descriptor lies above all that are preserved, so that it isn't one of them.
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

// inherited duplicates a descriptor to one that the next runtime keeps and the container doesn't get.
func inherited(fd int, cmd *runcargs.Command) (int, error) {
	above := firstFD + cmd.PreserveFDs + listenFDs()
	fd, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD, above)
	return fd, wrap(err, "duplicate a file descriptor")
}
