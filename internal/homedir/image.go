// SPDX-License-Identifier: Apache-2.0

package homedir

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Image is a rootfs with the spec's mounts over it, as the container will see
// it. It isn't safe for concurrent use.
type Image struct {
	root     int // O_PATH
	readonly bool
	bundle   string
	mounts   []Mount
	placed   []place
	astray   string // a destination that can't be followed
	loaded   bool
	passwd   database
	group    database
	layers   *Image          // the view of the image alone; nil: nobody has asked
	uids     map[string]bool // those of passwd's entries, as they are written; nil: nobody has asked
}

// place is where a mount really lies. A destination with ".." may be read in
// two ways; then both are taken.
type place struct {
	mount    *Mount
	at, also string // also is "" but for the second reading
}

// Open opens the view of a rootfs. A relative rootfs, and the relative sources
// of bind mounts, are below the bundle (runtime-spec, config.md, "Root" and
// "Mounts"). The mounts are in the spec's order, in which runtimes apply them.
// A home of an earlier rewrite among them is passed over.
func Open(bundle, rootfs string, readonly bool, mounts []Mount) (*Image, error) {
	if !path.IsAbs(rootfs) {
		rootfs = path.Join(bundle, rootfs)
	}
	fd, err := openat2(unix.AT_FDCWD, rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the rootfs %q: %w", rootfs, err)
	}
	return &Image{root: fd, readonly: readonly, bundle: bundle, mounts: mounts}, nil
}

// Close gives the rootfs back.
func (im *Image) Close() error {
	if im.layers != nil && im.layers.root != im.root {
		_ = im.layers.Close() // nothing was written
	}
	if err := unix.Close(im.root); err != nil {
		return fmt.Errorf("close the rootfs: %w", fault{err})
	}
	return nil
}

// load does what every question needs, once: where the mounts lie, and what
// the two files say.
func (im *Image) load() {
	if im.loaded {
		return
	}
	im.loaded = true
	im.placeMounts()
	im.passwd = im.database("/etc/passwd", passwdFields)
	im.group = im.database("/etc/group", groupFields)
	if im.passwd.mountable && im.passwd.at == im.group.at {
		im.group = database{note: "no group name: the image's passwd and group are one file"}
	}
}

// placeMounts finds where each mount lies, in order, as a later one may lie
// inside an earlier one.
func (im *Image) placeMounts() {
	im.placed = make([]place, 0, len(im.mounts))
	for i := range im.mounts {
		m := &im.mounts[i]
		if Ours(*m) {
			continue
		}
		p, ok := im.placeMount(m)
		if !ok {
			im.astray = m.Destination
			continue
		}
		im.placed = append(im.placed, p)
	}
}

// placeMount follows a destination inside the rootfs, as the runtime will:
// "/link/x" with /link -> /etc is /etc/x. A relative destination is taken as
// below /, as runc does.
func (im *Image) placeMount(m *Mount) (place, bool) {
	dest := "/" + m.Destination
	s, err := im.resolve(path.Clean(dest))
	if err != nil {
		return place{}, false
	}
	p := place{mount: m, at: s.path}
	if !climbs(dest) {
		return p, true
	}
	// runc's SecureJoin and crun's openat2 follow a link before they go
	// up from it, others clean the text first.
	s, err = im.walk(dest)
	if err != nil {
		return place{}, false
	}
	if s.path != p.at {
		p.also = s.path
	}
	return p, true
}

// climbs reports whether a path has a ".." in it.
func climbs(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// within reports whether p is dir or below it; both are clean and absolute.
func within(dir, p string) bool {
	if dir == "/" {
		return true
	}
	return strings.HasPrefix(p, dir) && (len(p) == len(dir) || p[len(dir)] == '/')
}

// covering is the mount that shows at p: the last one at p or above it.
func (im *Image) covering(p string) *place {
	for i := len(im.placed) - 1; i >= 0; i-- {
		m := &im.placed[i]
		if within(m.at, p) || m.also != "" && within(m.also, p) {
			return m
		}
	}
	return nil
}

// touching is a mount at p, above it or below it.
func (im *Image) touching(p string) *place {
	if m := im.covering(p); m != nil {
		return m
	}
	for i := range im.placed {
		m := &im.placed[i]
		if within(p, m.at) || m.also != "" && within(p, m.also) {
			return m
		}
	}
	return nil
}
