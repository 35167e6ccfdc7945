// SPDX-License-Identifier: Apache-2.0

// Package host knows what group ids mean on the host.
package host

import (
	"bytes"
	"io"
	"os"
	"slices"
	"strings"

	//lint:ignore SA1019 runc v1.3 is the last line with this package, which was asked for; it forwards to moby/sys/user.
	"github.com/opencontainers/runc/libcontainer/user"
	"golang.org/x/sys/unix"
)

// GroupFile is where the host's groups are read (group(5)). Groups of a directory service are not in it.
const GroupFile = "/etc/group"

// Groups answers what a gid of the host means. The host's files are read when the first question is asked: most
// containers raise none. Where they can't be read, every gid means something.
type Groups struct {
	File       string   // GroupFile, but for tests
	Text       []byte   // in its place, where it isn't nil: no socket counts then either
	Privileges []string // the names of privileged groups

	read       bool
	failed     bool
	named      map[uint32]bool
	names      map[string]uint32
	privileged []uint32
}

// Named says whether the gid stands in the host's group file.
func (g *Groups) Named(gid uint32) bool {
	g.load()
	return g.failed || g.named[gid]
}

// Privileged says whether the gid is that of a privileged group, or one that may open an engine's socket.
func (g *Groups) Privileged(gid uint32) bool {
	g.load()
	return g.failed || slices.Contains(g.privileged, gid)
}

// All lists the gids that stand in the host's group file, or are privileged.
func (g *Groups) All() []uint32 {
	g.load()
	all := slices.Clone(g.privileged)
	for gid := range g.named {
		all = append(all, gid)
	}
	return all
}

func (g *Groups) load() {
	if g.read {
		return
	}
	g.read = true
	g.named, g.names = map[uint32]bool{}, map[string]uint32{}
	g.privileged = []uint32{0}
	if g.Text != nil {
		g.parse(bytes.NewReader(g.Text))
		return
	}
	for _, s := range sockets {
		var st unix.Stat_t
		if unix.Stat(s, &st) == nil {
			g.privileged = append(append(g.privileged, st.Gid), writersOf(s, &st).Groups...)
		}
	}
	f, err := os.Open(g.File)
	if os.IsNotExist(err) {
		return // a host without names, as minimal ones are
	}
	if err != nil {
		g.failed = true
		return
	}
	defer f.Close() //nolint:errcheck // nothing was written
	g.parse(f)
}

func (g *Groups) parse(r io.Reader) {
	all, err := user.ParseGroup(r)
	if err != nil {
		g.failed = true
		return
	}
	for _, e := range all {
		if e.Gid < 0 || e.Gid > 1<<32-1 {
			continue // no process can have it
		}
		gid := uint32(e.Gid) // bounded just above
		g.named[gid] = true
		if _, again := g.names[e.Name]; !again {
			g.names[e.Name] = gid
		}
		if slices.Contains(g.Privileges, e.Name) {
			g.privileged = append(g.privileged, gid)
		}
	}
}

// GID is the group of that name in the host's group file.
func (g *Groups) GID(name string) (gid uint32, ok bool) {
	g.load()
	gid, ok = g.names[name]
	return gid, ok
}

// DeviceGroup is the group that owns a device node of the host's: a character device's below /dev, by no symbolic link.
func DeviceGroup(path string) (gid uint32, ok bool) {
	var st unix.Stat_t
	if !strings.HasPrefix(path, "/dev/") || unix.Lstat(path, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFCHR {
		return 0, false
	}
	return st.Gid, true
}
