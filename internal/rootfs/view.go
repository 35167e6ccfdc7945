// SPDX-License-Identifier: Apache-2.0

// Package rootfs is the view of a container's rootfs under its mounts, before the container starts: where a path leads, what is
// there, what is in its layers. The rootfs is hostile: any path in it may be a link, a device or a pipe. The package only reads,
// and knows nothing of what files mean (internal/accounts) or of what may go where (internal/homedir).
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
	isPlaced bool     // whether placed and astray are known
	placed   []Placed // where the mounts lie
	astray   string   // a destination that can't be followed
	bound    *bound   // nil: none
}

// Placed is a mount and where it really lies. A destination with ".." may be read in two ways; then both are taken.
type Placed struct {
	Mount *Mount
	At    string // free of links
	also  string // "" but for the second reading
}

// Open opens the view of a rootfs. A relative rootfs, and the relative sources
// of bind mounts, are below the bundle (runtime-spec, config.md, "Root" and
// "Mounts"). The mounts are in the spec's order, in which runtimes apply them.
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

// Bounded is the view for looks that nothing depends on, at paths that somebody else has chosen: all of them together look at so many
// parts of paths, and only file systems of mounts that answer are asked; nil: none. It ends with the view that it is of, and isn't closed.
func (v *View) Bounded(parts int, answers func(fd int) bool) *View {
	v.place()
	b := *v
	b.bound = &bound{parts, answers}
	return &b
}

// bound is what bounds a view.
type bound struct {
	parts   int
	answers func(fd int) bool
}

// spend takes a path's parts off what a bounded view may look at.
func (v *View) spend(p string) error {
	if v.bound == nil {
		return nil
	}
	if v.bound.parts -= strings.Count(p, "/"); v.bound.parts < 0 {
		return links.ErrMany
	}
	return nil
}

// Close gives the rootfs back.
func (v *View) Close() error {
	if err := unix.Close(v.root); err != nil {
		return fmt.Errorf("close the rootfs: %w", fault{err})
	}
	return nil
}

// place finds where each mount lies, once and in order, as a later one may lie inside an earlier one.
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

// placeMount follows a destination inside the rootfs, as the runtime will:
// "/link/x" with /link -> /etc is /etc/x. A relative destination is taken as
// below /, as runc does.
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
	// runc's SecureJoin and crun's openat2 follow a link before they go
	// up from it, others clean the text first.
	s, err = v.walk(dest)
	if err != nil {
		return Placed{}, false
	}
	if s.Path != p.At {
		p.also = s.Path
	}
	return p, true
}

// Astray is the destination of a mount that can't be followed; "": there is none.
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

// covering is the mount that shows at p: the last one at p or above it.
func (v *View) covering(p string) *Placed {
	for i := len(v.placed) - 1; i >= 0; i-- {
		m := &v.placed[i]
		if links.Within(m.At, p) || m.also != "" && links.Within(m.also, p) {
			return m
		}
	}
	return nil
}

// Touching is a mount at a clean absolute path, above it or below it; nil: there is none.
func (v *View) Touching(p string) *Placed {
	v.place()
	if m := v.covering(p); m != nil {
		return m
	}
	return v.MountedIn(p)
}

// MountedIn is the first mount at a clean absolute path or below it; nil: there is none.
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
