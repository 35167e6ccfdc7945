// SPDX-License-Identifier: Apache-2.0

// Package idmap reads id maps, and uses them to translate user and group ids between user namespaces (user_namespaces(7),
// "User and group ID mappings"). Parsing ids belongs in internal/ids, and choosing a container's id in internal/policy.
package idmap

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/ids"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// Range maps the Size ids from Inside on to the Size ids from Outside on.
type Range struct{ Inside, Outside, Size uint32 }

// Map is the uid or gid map of a user namespace. An empty map maps nothing.
type Map []Range

// Outside translates an id inside the namespace to the id outside of it.
func (m Map) Outside(id uint32) (uint32, bool) {
	for _, r := range m {
		if id >= r.Inside && id-r.Inside < r.Size {
			return r.Outside + (id - r.Inside), true
		}
	}
	return 0, false
}

// Inside translates an id outside the namespace to the id inside of it.
func (m Map) Inside(id uint32) (uint32, bool) {
	for _, r := range m {
		if id >= r.Outside && id-r.Outside < r.Size {
			return r.Inside + (id - r.Outside), true
		}
	}
	return 0, false
}

// Pair holds the two maps of a user namespace.
type Pair struct{ UID, GID Map }

// Own returns the maps of the calling process. Here, Outside is an id of the parent namespace; on the host, every id maps to
// itself.
func Own() (Pair, error) { return Of("self") }

// Of returns the maps of a process. If it is in another user namespace, Outside is an id as the caller sees it
// (user_namespaces(7), "the ID-outside-ns").
func Of(pid string) (Pair, error) {
	var p Pair
	var err error
	if p.UID, err = read("/proc/" + pid + "/uid_map"); err != nil {
		return p, err
	}
	p.GID, err = read("/proc/" + pid + "/gid_map")
	return p, err
}

func read(file string) (Map, error) {
	text, err := proc.Read(file)
	if err != nil {
		return nil, fmt.Errorf("read the id map: %w", err)
	}
	m, err := Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", file, err)
	}
	return m, nil
}

// Parse parses the text of a uid_map or gid_map file.
func Parse(text string) (Map, error) {
	var m Map
	for line := range strings.Lines(text) {
		var v [3]uint32
		fields := strings.Fields(line)
		if len(fields) != len(v) {
			return nil, fmt.Errorf("the line %q has not three numbers", line)
		}
		for i, f := range fields {
			n, err := ids.Number(f)
			if err != nil {
				return nil, fmt.Errorf("the line %q has not three numbers", line)
			}
			v[i] = n
		}
		m = append(m, Range{v[0], v[1], v[2]})
	}
	return m, nil
}

// OfNamespace returns the maps of a user namespace, by a descriptor of /proc/PID/ns/user or of a bind mount of it. No system
// call returns a namespace's maps, so they are read from a process that lives in it. If there is none, a child process joins
// it first.
func OfNamespace(fd int) (Pair, error) {
	var want unix.Stat_t
	if err := unix.Fstat(fd, &want); err != nil {
		return Pair{}, err
	}
	procs, err := os.Open("/proc")
	if err != nil {
		return Pair{}, err
	}
	defer procs.Close() // nothing was written
	for {
		names, err := procs.Readdirnames(256)
		for _, pid := range names {
			if pid[0] < '1' || pid[0] > '9' || !isIn(pid, want) {
				continue
			}
			p, err := Of(pid)
			if err == nil && isIn(pid, want) { // check it once more, because a pid can be reused
				return p, nil
			}
		}
		if err != nil {
			return ofEmpty(fd)
		}
	}
}

func isIn(pid string, ns unix.Stat_t) bool {
	var st unix.Stat_t
	return unix.Stat("/proc/"+pid+"/ns/user", &st) == nil && st.Dev == ns.Dev && st.Ino == ns.Ino
}

// OverflowID returns the id that stands in for unmapped ids (proc(5), /proc/sys/kernel/overflowuid).
func OverflowID() uint32 {
	text, err := proc.Read("/proc/sys/kernel/overflowuid")
	if err == nil {
		if v, err := ids.Number(bytes.TrimSpace(text)); err == nil {
			return v
		}
	}
	return 65534
}
