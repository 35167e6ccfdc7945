// SPDX-License-Identifier: Apache-2.0

// Package proc reads the kernel's small text files, without what the standard library sets up for files that can block,
// which is a tenth of an invocation's time. Their parsers belong here: mountinfo, an overlay's options, a process's status
// and start; what a container may make of them does not, nor do files of anybody but the kernel.
package proc

import (
	"bytes"
	"errors"
	"os"
	"strconv"

	"golang.org/x/sys/unix"
)

// Bounds of what is read, in bytes. The kernel's files are far smaller, but for mountinfo: an overlay of many layers takes a
// page of it, and a node may have thousands.
const (
	limit       = 1 << 20
	mountsLimit = 64 << 20
)

// Read gives the whole of a file below /proc. One of over a megabyte is a failure.
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

// StartTime is when a process began, in clock ticks since boot: field 22 of /proc/pid/stat. The second field, the program's
// name, may hold spaces and parentheses.
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
