// SPDX-License-Identifier: Apache-2.0

// Package proc reads and parses the kernel's small text files: mountinfo, overlay options, a process's status and start
// time. It avoids the set-up that the standard library does for files that can block, which would take a tenth of an
// invocation's time. Files that a container can write don't belong here, nor what their values mean for one.
package proc

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Limits on the size of a file, in bytes. The kernel's files are far smaller, except mountinfo: an overlay of many layers
// takes a page of it, and a node may have thousands.
const (
	limit       = 1 << 20
	mountsLimit = 64 << 20
)

// Read returns the whole content of a file below /proc. A file over a megabyte is an error.
func Read(name string) ([]byte, error) { return read(name, limit) }

func read(name string, limit int) ([]byte, error) {
	fd, err := unix.Open(name, unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, &os.PathError{Op: "open", Path: name, Err: err}
	}
	defer unix.Close(fd)
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

// StartTime returns a process's start time in clock ticks since boot: field 22 of /proc/pid/stat. Field 2, the program's
// name, may hold blanks and parentheses.
func StartTime(pid string) (uint64, error) {
	text, err := Read("/proc/" + pid + "/stat")
	if err != nil {
		return 0, err
	}
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	const startField = 22 - 3 // counted from field 3
	if len(fields) <= startField {
		return 0, errors.New("/proc/pid/stat has too few fields")
	}
	return strconv.ParseUint(string(fields[startField]), 10, 64)
}
