// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"path"
	"slices"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/program"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// reach tells what the identity will be able to write once owners have been changed.
type reach struct {
	*Gathered
	d      *decision.Decision
	give   *plan.Give
	owned  map[int][]string
	home   *homedir.Plan
	opener opener
}

// closed reports whether the identity can't write a path of the container that root could. It returns false if that
// can't be determined.
func (r *reach) closed(w program.Write) bool {
	if r.home.Mounts != nil && links.Within(r.home.Home, w.Path) || r.give != nil && r.give.Tmp && links.WithinAny(layer.Tmp, w.Path) {
		return false
	}
	view := r.image.Bounded(maxNamed, r.opener.answers) // a script chooses the path
	at, err := view.Look(w.Path)
	if err != nil {
		return false
	}
	isDir := at.Exists && at.Stat.Mode&unix.S_IFMT == unix.S_IFDIR
	dir := path.Dir(w.Path)
	switch {
	case !at.Exists && w.How == program.Replaces, isDir && w.How != program.Puts:
		return false // nothing to do, or it fails as root, too
	case isDir:
		dir = at.Path
	case at.Exists && w.How == program.Puts && r.mayOpen(at):
		return false // cp writes into it
	case at.Exists && w.How == program.Opens:
		return at.Stat.Mode&unix.S_IFMT == unix.S_IFREG && !r.mayOpen(at) && !r.isReadonly(at)
	}
	in, err := view.Look(dir)
	if err != nil || in.Hidden && links.Within("/dev", in.Path) {
		return err == nil && in.Mount.Destination == "/dev" // it belongs to root, whatever is mounted in it
	}
	return !in.Hidden && !r.isReadonly(in) && !r.writes(r.d, r.give, r.owned, dir) && !r.becomesWith(in)
}

// mayOpen reports whether the identity can write a file.
func (r *reach) mayOpen(at rootfs.Entry) bool {
	return r.may(unix.W_OK, &at.Stat, r.d.Identity) || at.Mount == nil && isGiven(r.give, path.Dir(at.Path)) || r.becomesWith(at)
}

// becomesWith reports whether a path is in a volume that will belong to the identity, with what the engine has copied
// there.
func (r *reach) becomesWith(at rootfs.Entry) bool {
	if at.Mount == nil {
		return false
	}
	top, err := r.image.Look(path.Clean("/" + at.Mount.Destination))
	return err == nil && top.Mount != nil && r.becomes(top, r.give)
}

// isReadonly reports whether not even root can write there.
func (r *reach) isReadonly(at rootfs.Entry) bool {
	return at.Mount == nil && r.Container.Readonly || at.Mount != nil && slices.Contains(at.Mount.Options, "ro")
}
