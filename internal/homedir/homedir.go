// SPDX-License-Identifier: Apache-2.0

// Package homedir decides where a container's identity has its home and what
// /etc/passwd and /etc/group say about it. The image is hostile: any path
// below its rootfs may be a link, a device or a pipe, any line of its passwd
// may be made for one parser and against another. The package only reads; the
// caller writes the copies and puts the mounts into the spec.
package homedir

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// TmpfsSource is the source of the home's mount. The kernel ignores a tmpfs's
// source, so it is the mark by which a second rewrite knows its own mount.
const TmpfsSource = "nonroot-home"

// Mount is one of the spec's mounts (runtime-spec, config.md, "Mounts").
type Mount struct {
	Destination, Type, Source string
	Options                   []string
}

// Ours reports whether m is a home that Plan made for an earlier rewrite.
func Ours(m Mount) bool {
	return (m.Type == "tmpfs" || m.Type == underlay) && m.Source == TmpfsSource
}

// binds reports whether m shows a piece of the host: runc and crun go by the
// type or by the option, either is enough.
func (m *Mount) binds() bool {
	return m.Type == "bind" || slices.Contains(m.Options, "bind") || slices.Contains(m.Options, "rbind")
}

// CopiesUp reports whether the runtime fills m with what the rootfs has there (runc and crun, "tmpcopyup").
func (m *Mount) CopiesUp() bool {
	return m.Type == "tmpfs" && !m.binds() && slices.Contains(m.Options, "tmpcopyup")
}

// Mode says whether a container gets a home of its own.
type Mode uint8

// The policy's words for a home: auto, always, never.
const (
	Auto   Mode = iota // a home where one is safe, none where the image's own serves
	Always             // a home, or no container
	Never              // no home
)

// Wish is what the policy decided about an identity.
type Wish struct {
	UID, GID uint32 // as the container sees them, from 1 to 2147483647
	OwnerUID uint32 // UID as the files of the rootfs have it, where a user namespace shifts it; 0: the same
	Name     string // for an identity without an entry
	Kept     bool   // the image already ran as this uid, or was built for it
	EnvHome  string // HOME of the process's environment, "" if none
	Mode     Mode
	Path     string // the policy's home, "": automatic
	Size     string // the home's size as tmpfs reads it, such as "256m"; may be "" with Never
}

// Plan is a home and a name for an identity.
type Plan struct {
	Name   string  // USER and LOGNAME
	Home   string  // HOME
	Shell  string  // SHELL
	Mounts []Mount // the home, to be appended to the spec's mounts; none: no home, Notes say why
	Passwd []byte  // what /etc/passwd is to be; nil: it can't be mounted, Notes say why
	Group  []byte  // what /etc/group is to be; nil likewise
	// Numbers says that no line of /etc/group, as the container will have it, makes another group of a gid: runc before 1.3
	// takes an additional gid for a name first, and looks it up there (libcontainer, user.GetAdditionalGroups).
	Numbers bool
	Notes   []string // for the decision record
}

// Plan decides home and names. It fails where the wish makes no sense, and
// where Always finds no place; anything else that is amiss in the image costs
// the container its home or its name, which a note says.
func (im *Image) Plan(w Wish) (*Plan, error) {
	if err := w.check(); err != nil {
		return nil, err
	}
	im.load()
	p := &Plan{}
	p.note(im.passwd.note)
	p.note(im.group.note)
	entry, known := im.UserByID(w.UID)
	name, ok := userName(im.passwd.text, w.UID, w.Name)
	p.Name = name
	if err := im.planHome(p, w, entry, known); err != nil {
		return nil, err
	}
	p.Shell = im.shell(entry.Shell)
	switch {
	case !ok:
		p.note(fmt.Sprintf("no names: every form of %q is taken in the image's passwd", name))
	case im.passwd.mountable:
		u := User{Name: p.Name, UID: w.UID, GID: w.GID, Home: p.Home, Shell: p.Shell}
		p.Passwd = withUser(im.passwd.text, u)
	}
	p.Numbers = im.group.absent
	if im.group.mountable {
		p.Group = withGroup(withoutNumbers(im.group.text), p.Name, w.GID)
		p.Numbers = p.Group != nil
		if p.Group == nil {
			p.note(fmt.Sprintf("no group name: every form of %q is taken in the image's group", p.Name))
		}
	}
	return p, nil
}

func (p *Plan) note(s string) {
	if s != "" {
		p.Notes = append(p.Notes, s)
	}
}

// check refuses ids that the promises rule out, whoever asks for them.
func (w Wish) check() error {
	for _, id := range []uint32{w.UID, w.GID} {
		if id == 0 || id > math.MaxInt32 {
			return fmt.Errorf("no home for %d:%d: ids go from 1 to %d", w.UID, w.GID, math.MaxInt32)
		}
	}
	if w.Mode != Never && w.Size == "" || strings.IndexFunc(w.Size, notSize) >= 0 {
		return fmt.Errorf("no home for %d:%d: %q is not the size of a tmpfs", w.UID, w.GID, w.Size)
	}
	if w.Mode > Never {
		return errors.New("no home: unknown mode " + strconv.Itoa(int(w.Mode)))
	}
	return nil
}

// notSize is true for what tmpfs(5) doesn't have in a size. A comma would
// start a mount option of its own.
func notSize(r rune) bool {
	return (r < '0' || r > '9') && !strings.ContainsRune("kKmMgG%", r)
}

// owner is the uid that the identity's files have in the rootfs.
func (w Wish) owner() uint32 {
	if w.OwnerUID != 0 {
		return w.OwnerUID
	}
	return w.UID
}
