// SPDX-License-Identifier: Apache-2.0

package layer

import (
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// For converts a container's plan to the options of Give and GiveVolume.
func For(g *plan.Give, bundle, id string) Options {
	o := Options{
		Rootfs: g.Rootfs, Made: MadeFor(bundle, id), UID: g.UID, GID: g.GID, From: g.Owners.MayChown, FromGroup: g.Owners.MayChangeGroup,
		Paths: g.Paths, Keep: g.Keep, Covered: g.Covered, GroupRoot: g.GroupRoot, GroupOnly: g.GroupOnly,
		Lend: g.Applications, Programs: g.Programs,
	}
	if g.Applications {
		o.Application = policy.IsApplication
	}
	return o
}

// OfVolumes adapts the options to the volumes of the same plan, where only root's group is replaced: processes of other
// groups may still rely on theirs.
func (w *Options) OfVolumes(g *plan.Give) { w.From, w.FromGroup = g.OfVolume, g.Owners.IsRootGroup }

// Gives reports whether anything in the image is to change owner.
func (w *Options) Gives() bool { return len(w.Paths) > 0 || w.Application != nil }

// MadeFor returns a function that reports whether a rootfs is where an engine mounts one for this container: below its
// bundle, or in the engine's store. A rootfs named by Podman's --rootfs may be the host's.
func MadeFor(bundle, id string) func(rootfs string) bool {
	return func(rootfs string) bool {
		return strings.HasPrefix(rootfs, strings.TrimSuffix(bundle, "/")+"/") || engines.MountsRootfs(rootfs, id)
	}
}

// IsOwn reports whether a rootfs is an overlay with a layer of the container's own, where owners can be changed.
func IsOwn(w *Options) bool {
	root, err := w.open()
	if err != nil {
		return false
	}
	_ = unix.Close(root)
	return true
}

// Foresee reports whether Give would make the identity the owner of a directory of the rootfs, with an owner's rights.
// It looks only at the directory itself: the caller must know that it is below one of the options' paths. The path must
// be clean, absolute and free of links.
func Foresee(w *Options, dir string) bool {
	root, err := w.open()
	if err != nil {
		return false
	}
	defer unix.Close(root)
	g := giver{Options: w, root: root}
	if g.spared(dir) {
		return false
	}
	fd, err := unix.Openat2(root, beneath(dir), &unix.OpenHow{Flags: reading, Resolve: inside})
	if err != nil {
		return false
	}
	defer unix.Close(fd)
	var st unix.Stat_t
	if unix.Fstat(fd, &st) != nil {
		return false
	}
	after, ok := w.Becomes(&st)
	return ok && after.Uid == w.UID
}

// GivesDirectory is Foresee for a directory of which only st is known, as in an image that is not unpacked.
func (w *Options) GivesDirectory(dir string, st *unix.Stat_t) bool {
	if links.WithinAny(w.Keep, dir) {
		return false
	}
	after, ok := w.Becomes(st)
	return ok && after.Uid == w.UID
}
