// SPDX-License-Identifier: Apache-2.0

// Package idmap reads id maps, and translates user and group ids between user namespaces by them (user_namespaces(7), "User and
// group ID mappings"). How digits become an id is internal/ids's to say, and which id a container gets internal/policy's.
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

// Range maps Size ids, from Inside on, to those from Outside on.
type Range struct{ Inside, Outside, Size uint32 }

// Map is a user namespace's map of uids or of gids. An empty one maps nothing.
type Map []Range

// Outside is what the id is outside of the namespace.
func (m Map) Outside(id uint32) (uint32, bool) {
	for _, r := range m {
		if id >= r.Inside && id-r.Inside < r.Size {
			return r.Outside + (id - r.Inside), true
		}
	}
	return 0, false
}

// Inside is what an outer id is within the namespace.
func (m Map) Inside(id uint32) (uint32, bool) {
	for _, r := range m {
		if id >= r.Outside && id-r.Outside < r.Size {
			return r.Inside + (id - r.Outside), true
		}
	}
	return 0, false
}

// Pair is a user namespace's two maps.
type Pair struct{ UID, GID Map }

// Own is the pair of the calling process. Seen from itself, Outside is an id of the namespace around it: on the
// host itself every id maps to itself.
func Own() (Pair, error) { return Of("self") }

// Of is the pair of the process with this pid; its Outside are ids as the caller sees them, where the process is
// in another user namespace than the caller (user_namespaces(7): "the ID-outside-ns").
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

// Parse reads the text of a uid_map or gid_map file.
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

// OfNamespace reads the pair of the user namespace behind an open file of /proc/PID/ns/user or a bind mount of one.
// There is no call that asks a namespace for its maps, so that a process is looked for that lives in it; without
// one, a child of ours has to.
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
			if err == nil && isIn(pid, want) { // still that process: a pid can be given to another
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

// OverflowID is the id that stands for those without a mapping (proc(5), /proc/sys/kernel/overflowuid).
func OverflowID() uint32 {
	text, err := proc.Read("/proc/sys/kernel/overflowuid")
	if err == nil {
		if v, err := ids.Number(bytes.TrimSpace(text)); err == nil {
			return v
		}
	}
	return 65534
}
