// SPDX-License-Identifier: Apache-2.0

package proc

import (
	"errors"
	"iter"
	"strconv"
	"strings"
)

// Mount is one of a mount namespace's mounts (proc_pid_mountinfo(5)), with what the kernel writes as octal numbers read.
type Mount struct {
	ID      string
	Device  string   // its file system's, "MAJOR:MINOR"
	Root    string   // the directory of its file system that is mounted, as a path in that
	Point   string   // where it is, as a path from the root of who reads it
	Mode    string   // "ro" or "rw", and what else holds for this mount alone
	Type    string   // its file system's, such as "ext4"
	Options []string // those of its file system, of which overlays and FUSE tell who made them of what
}

// Mounts is the text of a mountinfo.
type Mounts string

// ReadMounts gives the mounts of the caller's mount namespace.
func ReadMounts() (Mounts, error) { return MountsOf("thread-self") }

// MountsOf gives those of a process's.
func MountsOf(pid string) (Mounts, error) {
	text, err := read("/proc/"+pid+"/mountinfo", mountsLimit)
	return Mounts(text), err
}

// MountOf gives the mount in which something lies that is open, by a descriptor of any kind. Its file system is not asked.
func MountOf(fd int) (Mount, error) {
	text, err := Read("/proc/thread-self/fdinfo/" + strconv.Itoa(fd))
	if err != nil {
		return Mount{}, err
	}
	mounts, err := ReadMounts()
	if err != nil {
		return Mount{}, err
	}
	for line := range strings.Lines(string(text)) {
		if id, ok := strings.CutPrefix(line, "mnt_id:"); ok {
			if m, ok := mounts.Find(strings.TrimSpace(id)); ok {
				return m, nil
			}
		}
	}
	return Mount{}, errors.New("its mount is not known")
}

// All yields each mount, in the order in which they were made.
func (m Mounts) All() iter.Seq[Mount] {
	return func(yield func(Mount) bool) {
		for line := range strings.Lines(string(m)) {
			if mount, ok := parseMount(line); ok && !yield(mount) {
				return
			}
		}
	}
}

// Find gives the mount with an id, as statx(2) and /proc/PID/fdinfo tell it.
func (m Mounts) Find(id string) (Mount, bool) {
	for line := range strings.Lines(string(m)) {
		if at, _, _ := strings.Cut(line, " "); at == id { // the other lines are not worth a parser
			return parseMount(line)
		}
	}
	return Mount{}, false
}

// parseMount reads a line, which has optional fields in its middle. One blank stands between fields: a mount's source may be empty.
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
	for i, o := range m.Options { // a comma within one was escaped
		m.Options[i] = unescape(o)
	}
	return m, true
}

// unescape reads what the kernel writes as a backslash and three octal digits: blanks, backslashes, and what would end
// a field or an option (Linux, fs/seq_file.c, seq_escape).
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

// octal reads an escaped byte at the beginning of a text.
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
