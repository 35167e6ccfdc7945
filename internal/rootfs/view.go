// SPDX-License-Identifier: Apache-2.0

// Package rootfs is the view of a container's rootfs under its mounts, before the container starts: where a path leads,
// what exists there, and what its layers contain. The rootfs is hostile: any path in it may be a link, a device or a
// pipe. The package only reads; the meaning of files belongs to internal/accounts, and the choice of a home to
// internal/homedir.
package rootfs

import (
	"fmt"
	"path"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/links"
)

// View is a rootfs with the spec's mounts over it, as the container will see it. It isn't safe for concurrent use.
type View struct {
	root     int // O_PATH
	readonly bool
	bundle   string
	mounts   []Mount
	isPlaced bool     // placed and astray are known
	placed   []Placed // where the mounts are
	astray   string   // a destination that can't be resolved
	bound    *bound   // nil: none
}

// Placed is a mount with the real path of its destination. A destination with ".." can be read in two ways; then both
// count.
type Placed struct {
	Mount *Mount
	At    string // free of links
	also  string // the second reading; "": none
}

// Open opens the view of a rootfs. A relative rootfs, and relative sources of bind mounts, are below the bundle
// (runtime-spec, config.md, "Root" and "Mounts"). The mounts are in the spec's order, in which runtimes apply them.
func Open(bundle, rootfs string, readonly bool, mounts []Mount) (*View, error) {
	if !path.IsAbs(rootfs) {
		rootfs = path.Join(bundle, rootfs)
	}
	fd, err := openat2(unix.AT_FDCWD, rootfs, unix.O_PATH|unix.O_DIRECTORY, 0)
	if err != nil {
		return nil, fmt.Errorf("open the rootfs %q: %w", rootfs, err)
	}
	return &View{root: fd, readonly: readonly, bundle: bundle, mounts: mounts}, nil
}

// Bounded returns a view for lookups that nothing depends on, at paths that another user has chosen: together they
// resolve at most so many path components, and access only file systems for which answers returns true; nil: none. It
// ends with the view that it is from, and need not be closed.
func (v *View) Bounded(parts int, answers func(fd int) bool) *View {
	v.place()
	b := *v
	b.bound = &bound{parts, answers}
	return &b
}

// bound limits a view.
type bound struct {
	parts   int
	answers func(fd int) bool
}

// spend subtracts a path's components from what a bounded view may still resolve.
func (v *View) spend(p string) error {
	if v.bound == nil {
		return nil
	}
	if v.bound.parts -= strings.Count(p, "/"); v.bound.parts < 0 {
		return links.ErrMany
	}
	return nil
}

// Close closes the rootfs.
func (v *View) Close() error {
	if err := unix.Close(v.root); err != nil {
		return fmt.Errorf("close the rootfs: %w", fault{err})
	}
	return nil
}

// place finds where each mount is, once and in order, as a later one may be inside an earlier one.
func (v *View) place() {
	if v.isPlaced {
		return
	}
	v.isPlaced = true
	v.placed = make([]Placed, 0, len(v.mounts))
	for i := range v.mounts {
		m := &v.mounts[i]
		p, ok := v.placeMount(m)
		if !ok {
			v.astray = m.Destination
			continue
		}
		v.placed = append(v.placed, p)
	}
}

// placeMount resolves a destination inside the rootfs, as the runtime will: "/link/x" with /link -> /etc is /etc/x. A
// relative destination is interpreted as below /, as in runc.
func (v *View) placeMount(m *Mount) (Placed, bool) {
	dest := "/" + m.Destination
	s, err := v.resolve(path.Clean(dest))
	if err != nil {
		return Placed{}, false
	}
	p := Placed{Mount: m, At: s.Path}
	if !Climbs(dest) {
		return p, true
	}
	// runc's SecureJoin and crun's openat2 follow a link before they go up from it; others clean the text first.
	s, err = v.walk(dest)
	if err != nil {
		return Placed{}, false
	}
	if s.Path != p.At {
		p.also = s.Path
	}
	return p, true
}

// Astray returns the destination of a mount that can't be resolved; "" if there is none.
func (v *View) Astray() string {
	v.place()
	return v.astray
}

// Climbs reports whether a path has a ".." in it.
func Climbs(p string) bool {
	for part := range strings.SplitSeq(p, "/") {
		if part == ".." {
			return true
		}
	}
	return false
}

// covering returns the mount that is visible at p: the last one at p or above it.
func (v *View) covering(p string) *Placed {
	for i := len(v.placed) - 1; i >= 0; i-- {
		m := &v.placed[i]
		if links.Within(m.At, p) || m.also != "" && links.Within(m.also, p) {
			return m
		}
	}
	return nil
}

// Touching returns a mount at a clean absolute path, above it or below it; nil if there is none.
func (v *View) Touching(p string) *Placed {
	v.place()
	if m := v.covering(p); m != nil {
		return m
	}
	return v.MountedIn(p)
}

// MountedIn returns the first mount at a clean absolute path or below it; nil if there is none.
func (v *View) MountedIn(p string) *Placed {
	v.place()
	for i := range v.placed {
		m := &v.placed[i]
		if links.Within(p, m.At) || m.also != "" && links.Within(p, m.also) {
			return m
		}
	}
	return nil
}
