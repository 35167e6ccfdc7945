// SPDX-License-Identifier: Apache-2.0

package host

import (
	"encoding/binary"
	"os"
	"path"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/proc"
)

// Bind is a bind mount of a container.
type Bind struct {
	Source      string // absolute
	Destination string
	Recursive   bool // with the mounts below it
	ReadOnly    bool
}

// Socket is an engine's socket, and who may connect to it: whoever may write to it (unix(7), "Pathname socket
// ownership and permissions").
type Socket struct {
	Path     string // free of links
	Mount    string // the destination of the mount that leads to it
	Everyone bool
	Users    []uint32 // without root
	Groups   []uint32 // without 0
}

// inode is a file, by whatever path.
type inode struct{ dev, ino uint64 }

func inodeOf(st *unix.Stat_t) inode { return inode{st.Dev, st.Ino} }

// EngineSockets finds the engines' sockets that mounts lead to: mounts of the socket itself under any name, or of a
// directory above it. Files are compared by device and inode, so that links, other mounts of the same directory and
// /proc/PID/root make no difference. A directory elsewhere that one of these is mounted in once more is found if
// users other than root may open the socket, as only then it matters.
//
// A regular file, of which engines mount three, costs one system call.
func EngineSockets(binds []Bind) []Socket { return socketsIn(engines.Sockets(), binds) }

func socketsIn(known []string, binds []Bind) []Socket {
	var found []Socket
	var engines []engineSocket
	loaded := false
	for _, b := range binds {
		var st unix.Stat_t
		if unix.Stat(b.Source, &st) != nil {
			continue // the runtime will fail on it
		}
		sort := st.Mode & unix.S_IFMT
		if sort != unix.S_IFSOCK && sort != unix.S_IFDIR {
			continue
		}
		if !loaded {
			engines, loaded = engineSockets(known), true
		}
		for _, s := range engines {
			if s.shownBy(&st, b) {
				s.Mount = b.Destination
				found = append(found, s.Socket)
			}
		}
	}
	return found
}

// engineSocket is an existing socket, and the directories above it.
type engineSocket struct {
	Socket
	self  inode
	above []inode
}

func engineSockets(known []string) []engineSocket {
	var all []engineSocket
	for _, name := range known {
		var st unix.Stat_t
		if unix.Stat(name, &st) != nil || st.Mode&unix.S_IFMT != unix.S_IFSOCK {
			continue
		}
		real, err := RealPath(name)
		if err != nil || slices.ContainsFunc(all, func(o engineSocket) bool { return o.self == inodeOf(&st) }) {
			continue
		}
		s := engineSocket{Socket: writersOf(real, &st), self: inodeOf(&st)}
		for dir := real; dir != "/"; {
			dir = path.Dir(dir)
			var st unix.Stat_t
			if unix.Lstat(dir, &st) == nil {
				s.above = append(s.above, inodeOf(&st))
			}
		}
		all = append(all, s)
	}
	return all
}

// shownBy reports whether a mount shows the socket.
func (s *engineSocket) shownBy(source *unix.Stat_t, b Bind) bool {
	at := inodeOf(source)
	if at == s.self {
		return true
	}
	if slices.Contains(s.above, at) {
		return b.Recursive || at.dev == s.self.dev
	}
	if !b.Recursive || !s.Everyone && len(s.Users) == 0 {
		return false
	}
	return s.mountedBelow(b.Source)
}

// mountedBelow reports whether the socket, or a directory above it, is mounted once more below a directory.
func (s *engineSocket) mountedBelow(dir string) bool {
	real, err := RealPath(dir)
	if err != nil {
		return true // if it can't be known, the worst is assumed
	}
	mounts, err := proc.ReadMounts()
	if err != nil {
		return true
	}
	for m := range mounts.All() {
		if m.Point == real || !links.Within(real, m.Point) {
			continue
		}
		var st unix.Stat_t
		if unix.Lstat(m.Point, &st) == nil && (inodeOf(&st) == s.self || slices.Contains(s.above, inodeOf(&st))) {
			return true
		}
	}
	return false
}

// RealPath resolves the links of a path (proc(5), /proc/pid/fd).
func RealPath(name string) (string, error) {
	fd, err := unix.Open(name, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", err
	}
	defer unix.Close(fd)
	return os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
}

// Parts of an access control list (Linux, uapi/linux/posix_acl.h and posix_acl_xattr.h).
const (
	aclVersion = 2
	aclUser    = 0x02
	aclGroup   = 0x08
	aclWrite   = 2
)

// writersOf may list too many writers: an owner with fewer rights than others still counts.
func writersOf(name string, st *unix.Stat_t) Socket {
	w := Socket{Path: name, Everyone: st.Mode&unix.S_IWOTH != 0}
	if st.Mode&unix.S_IWUSR != 0 {
		w.addUser(st.Uid)
	}
	if st.Mode&unix.S_IWGRP != 0 {
		w.addGroup(st.Gid)
	}
	list := make([]byte, 4096)
	n, err := unix.Getxattr(name, "system.posix_acl_access", list)
	if err == nil {
		w.addList(list[:n], st.Mode&unix.S_IWGRP != 0)
	}
	return w
}

// addList adds the users and groups of an access control list. If it has a mask, the mode's group bits are the mask.
func (w *Socket) addList(list []byte, mask bool) {
	if !mask || len(list) < 4 || binary.LittleEndian.Uint32(list) != aclVersion {
		return
	}
	for e := list[4:]; len(e) >= 8; e = e[8:] {
		tag, rights, id := binary.LittleEndian.Uint16(e), binary.LittleEndian.Uint16(e[2:]), binary.LittleEndian.Uint32(e[4:])
		if rights&aclWrite == 0 {
			continue
		}
		switch tag {
		case aclUser:
			w.addUser(id)
		case aclGroup:
			w.addGroup(id)
		}
	}
}

func (w *Socket) addUser(id uint32) {
	if id != 0 && !slices.Contains(w.Users, id) {
		w.Users = append(w.Users, id)
	}
}

func (w *Socket) addGroup(id uint32) {
	if id != 0 && !slices.Contains(w.Groups, id) {
		w.Groups = append(w.Groups, id)
	}
}
