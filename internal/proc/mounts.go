// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"iter"
	"strconv"
	"strings"
)

// Mount is a line of mountinfo (proc_pid_mountinfo(5)), with octal escapes decoded.
type Mount struct {
	ID      string
	Device  string   // of its file system, "MAJOR:MINOR"
	Root    string   // the mounted directory, as a path within its file system
	Point   string   // the mount point, as a path from the reader's root
	Mode    string   // "ro" or "rw", and the other per-mount options
	Type    string   // of its file system, such as "ext4"
	Options []string // of its file system; those of overlays and FUSE tell what they are made of, and by whom
}

// Mounts is the text of a mountinfo.
type Mounts string

// ReadMounts reads the mounts of the caller's mount namespace.
func ReadMounts() (Mounts, error) { return MountsOf("thread-self") }

// MountsOf reads the mounts of a process's mount namespace.
func MountsOf(pid string) (Mounts, error) {
	text, err := read("/proc/"+pid+"/mountinfo", mountsLimit)
	return Mounts(text), err
}

// Of returns the mount that an open file is on. The descriptor may be of any kind, O_PATH too; the file system is not
// accessed.
func (m Mounts) Of(fd int) (Mount, bool) {
	text, err := Read("/proc/thread-self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return Mount{}, false
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			return m.Find(strings.TrimSpace(id))
		}
	}
	return Mount{}, false
}

// All yields each mount, in the order in which they were mounted.
func (m Mounts) All() iter.Seq[Mount] {
	return func(yield func(Mount) bool) {
		for line := range strings.Lines(string(m)) {
			if mount, ok := parseMount(line); ok && !yield(mount) {
				return
			}
		}
	}
}

// Find returns the mount with an id as in statx(2) and /proc/PID/fdinfo.
func (m Mounts) Find(id string) (Mount, bool) {
	for line := range strings.Lines(string(m)) {
		if at, _, _ := strings.Cut(line, " "); at == id { // parse no line but this one
			return parseMount(line)
		}
	}
	return Mount{}, false
}

// parseMount parses a line, which has optional fields in its middle. Fields are split at single blanks, because a mount's
// source may be empty.
func parseMount(line string) (Mount, bool) {
	fields := strings.Split(strings.TrimSuffix(line, "\n"), " ")
	const idAt, deviceAt, rootAt, pointAt, modeAt, fewest = 0, 2, 3, 4, 5, 10
	if len(fields) < fewest {
		return Mount{}, false
	}
	m := Mount{
		ID: fields[idAt], Device: fields[deviceAt], Root: unescape(fields[rootAt]), Point: unescape(fields[pointAt]),
		Mode: fields[modeAt], Type: fields[len(fields)-3], Options: strings.Split(fields[len(fields)-1], ","),
	}
	for i, o := range m.Options { // commas in an option are escaped at this point
		m.Options[i] = unescape(o)
	}
	return m, true
}

// unescape decodes a backslash and three octal digits, which is how the kernel writes blanks, backslashes, and anything that
// would end a field or an option (Linux, fs/seq_file.c, seq_escape).
func unescape(s string) string {
	if !strings.Contains(s, `\`) {
		return s
	}
	out := make([]byte, 0, len(s))
	for i := 0; i < len(s); i++ {
		if c, ok := octal(s[i:]); ok {
			out = append(out, c)
			i += 3
			continue
		}
		out = append(out, s[i])
	}
	return string(out)
}

// octal decodes an escaped byte at the beginning of s.
func octal(s string) (byte, bool) {
	if len(s) < 4 || s[0] != '\\' || s[1] > '3' {
		return 0, false
	}
	var c byte
	for _, digit := range []byte(s[1:4]) {
		if digit < '0' || digit > '7' {
			return 0, false
		}
		c = c<<3 | (digit - '0')
	}
	return c, true
}
