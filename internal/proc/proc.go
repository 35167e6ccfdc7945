// SPDX-License-Identifier: Apache-2.0

// Package proc reads the kernel's small text files, without what the standard library sets up for files that can
// block: on the way of every call that's a tenth of its time.
package proc

import (
	"bytes"
	"errors"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// limit bounds what is read, in bytes; the kernel's files are far smaller.
const limit = 1 << 20

// Read gives the whole of a file below /proc.
func Read(name string) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd) //nolint:errcheck // nothing was written
	buf := make([]byte, 0, 2048)
	for {
		n, err := unix.Read(fd, buf[len(buf):cap(buf)])
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return nil, &os.PathError{Op: "read", Path: name, Err: err}
		case n == 0:
			return buf, nil
		}
		if buf = buf[:len(buf)+n]; len(buf) > limit {
			return nil, &os.PathError{Op: "read", Path: name, Err: unix.EFBIG}
		}
		if len(buf) == cap(buf) {
			buf = append(buf, 0)[:len(buf)]
		}
	}
}

// MountOptions are those of a mount's file system, which the text of a mountinfo has last (proc_pid_mountinfo(5)); nil: there is no
// such mount. The kernel writes commas within them, and some other bytes, as octal numbers.
func MountOptions(mountinfo, id string) []string {
	for line := range strings.Lines(mountinfo) {
		if fields := strings.Fields(line); len(fields) >= 10 && fields[0] == id {
			return strings.Split(fields[len(fields)-1], ",")
		}
	}
	return nil
}

// StartTime is when a process began, in clock ticks since boot: field 22 of /proc/pid/stat. The second field, the program's name, may hold spaces and parentheses.
func StartTime(pid string) (uint64, error) {
	text, err := Read("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const startField = 22 - 3 // the fields from the third on
	if len(fields) <= startField {
		return 0, errors.New("/proc/pid/stat has too few fields")
	}
	return strconv.ParseUint(string(fields[startField]), 10, 64)
}
