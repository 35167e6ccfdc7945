// SPDX-License-Identifier: Apache-2.0

// Package host knows what ids and files mean on the host: groups, devices and engines' sockets. It reads the host's
// own files, and leaves judging to internal/policy, and what is in a container to internal/rootfs.
package host

import (
	"bytes"
	"os"
	"strings"

	//lint:ignore SA1019 runc v1.3 is the last line with this package, which was asked for; it forwards to moby/sys/user.
	"github.com/opencontainers/runc/libcontainer/user"
	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// GroupFile is the host's group file (group(5)). Groups of a directory service are not in it.
const GroupFile = "/etc/group"

// ReadGroups reads what gids mean on the host, from its group file and the engines' sockets. A minimal host without
// the file has no names; if it can't be read, every gid means something.
func ReadGroups(file string) *policy.HostGroups {
	g := &policy.HostGroups{}
	for _, s := range engines.Sockets() {
		var st unix.Stat_t
		if unix.Stat(s, &st) == nil {
			g.Sockets = append(append(g.Sockets, st.Gid), writersOf(s, &st).Groups...)
		}
	}
	text, err := os.ReadFile(file) // #nosec G304 -- GroupFile, but for tests
	switch {
	case os.IsNotExist(err):
	case err != nil:
		g.Unreadable = true
	default:
		parse(g, text)
	}
	return g
}

// ParseGroups is a host with this text as its group file, and no engine's socket.
func ParseGroups(text []byte) *policy.HostGroups {
	g := &policy.HostGroups{}
	parse(g, text)
	return g
}

func parse(g *policy.HostGroups, text []byte) {
	all, err := user.ParseGroup(bytes.NewReader(text))
	if err != nil {
		g.Unreadable = true
		return
	}
	for _, e := range all {
		if e.Gid >= 0 && e.Gid <= 1<<32-1 { // otherwise no process can have it
			g.Groups = append(g.Groups, policy.HostGroup{Name: e.Name, GID: uint32(e.Gid)})
		}
	}
}

// DeviceGroup is the group that owns a device node of the host: a character device below /dev, not reached by a
// symbolic link.
func DeviceGroup(path string) (gid uint32, ok bool) {
	var st unix.Stat_t
	if !isBelowDev(path) || unix.Lstat(path, &st) != nil {
		return 0, false
	}
	return NodeGroup(path, &st)
}

// NodeGroup is DeviceGroup for what is at the path, where that is known.
func NodeGroup(path string, st *unix.Stat_t) (gid uint32, ok bool) {
	return st.Gid, isBelowDev(path) && st.Mode&unix.S_IFMT == unix.S_IFCHR
}

func isBelowDev(path string) bool { return strings.HasPrefix(path, "/dev/") }
