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
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// rootsHome is root's customary home, and the one that runtimes assume.
const rootsHome = "/root"

// meant returns where the container's programs look for their home, and whether the identity can use it. It is empty
// for a user of the administrator's list, who has a home there.
func (g *Gathered) meant(d *decision.Decision, give *plan.Give, owned map[int][]string) homedir.Meant {
	if d.Person != "" {
		return homedir.Meant{}
	}
	m := homedir.Meant{
		Env: g.askedHome(), Image: g.layers(),
		Writes: func(dir string) bool { return g.writes(d, give, owned, dir) },
	}
	if d.Source == policy.Kept {
		m.Lasts = func(dir string) bool {
			at, err := g.image.Look(path.Clean(dir))
			mine := err == nil && at.Exists && (at.Stat.Uid == g.owners().Outside(d.Identity.UID) || g.opens(unix.W_OK|unix.X_OK, at, give) || g.opened(at, d, give))
			return mine && g.writes(d, give, owned, dir) && layer.IsOwn(&layer.Options{Rootfs: g.rootfs(), Made: layer.MadeFor(g.Bundle, g.ID)})
		}
	}
	if d.StandsIn() && d.Asked.UID == 0 {
		m.Root = rootsHome
		if root, known := m.Image.UserByID(0); known && path.IsAbs(root.Home) {
			m.Root = path.Clean(root.Home)
		}
	}
	return m
}

// askedHome returns HOME as the author of config.json set it; "" if an earlier rewrite set it.
func (g *Gathered) askedHome() string {
	switch was := g.written; {
	case was == nil:
	case was.AskedHome != "":
		return was.AskedHome
	case was.Mounted && was.Home == g.home:
		return ""
	}
	return g.home
}

// writes reports whether the identity will be able to write in a directory of the container, or to create it if it
// doesn't exist.
func (g *Gathered) writes(d *decision.Decision, give *plan.Give, owned map[int][]string, dir string) bool {
	at, err := g.image.Look(path.Clean(dir))
	if err != nil {
		return false
	}
	for !at.Exists && !at.Hidden && at.Path != "/" {
		if at, err = g.image.Look(path.Dir(at.Path)); err != nil {
			return false
		}
	}
	for up := at; up.Path != "/"; {
		if up, err = g.image.Look(path.Dir(up.Path)); err != nil || !up.Hidden && !g.will(unix.X_OK, up, d, give) {
			return false
		}
	}
	if at.Hidden { // a new file system; its owner is set when it is created
		return links.WithinAny(g.ownedOf(owned), at.Path)
	}
	return g.will(unix.W_OK|unix.X_OK, at, d, give)
}

// ownedOf returns the destinations of the mounts that will belong to the identity, with links resolved.
func (g *Gathered) ownedOf(owned map[int][]string) (all []string) {
	for i := range owned {
		if at, err := g.image.Look(path.Clean("/" + g.Container.Mounts[i].Destination)); err == nil {
			all = append(all, at.Path)
		}
	}
	return all
}

// will reports whether the identity has rights to a directory after the change of owners.
func (g *Gathered) will(rights uint32, at rootfs.Entry, d *decision.Decision, give *plan.Give) bool {
	if !at.Exists || at.Stat.Mode&unix.S_IFMT != unix.S_IFDIR {
		return false
	}
	closed := at.Mount == nil && g.Container.Readonly || at.Mount != nil && slices.Contains(at.Mount.Options, "ro")
	if rights&unix.W_OK != 0 && closed {
		return false
	}
	return g.may(rights, &at.Stat, d.Identity) || g.becomes(at, give) || g.opens(rights, at, give)
}

// opens reports whether root's group has rights to a directory of the image that the identity's group will inherit.
func (g *Gathered) opens(rights uint32, at rootfs.Entry, give *plan.Give) bool {
	return mayOpen(give, at) && give.Owners.IsRootGroup(at.Stat.Gid) &&
		at.Stat.Mode>>3&rights == rights && at.Stat.Mode&0o020 != 0
}

// opened reports whether a directory of the image was opened to the identity's group at an earlier start.
func (g *Gathered) opened(at rootfs.Entry, d *decision.Decision, give *plan.Give) bool {
	return mayOpen(give, at) && give.Owners.IsRoot(at.Stat.Uid) && at.Stat.Gid == give.GID && at.Stat.Mode&0o030 == 0o030 &&
		d.Identity.GID != 0
}

// mayOpen reports whether the identity's group inherits the rights of root's group to a path in the image.
func mayOpen(give *plan.Give, at rootfs.Entry) bool {
	return give != nil && give.GroupOnly && at.Mount == nil && isGiven(give, at.Path) && !links.WithinAny(give.Keep, at.Path)
}

// becomes reports whether the identity will own a directory.
func (g *Gathered) becomes(at rootfs.Entry, give *plan.Give) bool {
	if give == nil {
		return false
	}
	o := layer.For(give, g.Bundle, g.ID)
	o.DryRun, o.GroupRoot = true, false // changing only the group does not make the identity the owner
	if at.Mount == nil {
		named := links.WithinAny(give.Paths, at.Path) || give.Applications && policy.IsApplication(at.Path)
		return named && layer.Foresee(&o, at.Path)
	}
	o.OfVolumes(give)
	return slices.ContainsFunc(give.Volumes, func(v plan.Volume) bool {
		if v.Destination != at.Path || v.Source != at.Mount.Source {
			return false
		}
		key := comparedVolume{give, v}
		given, known := g.compared[key]
		if !known {
			of, err := layer.GiveVolume(layer.Volume(v), &o, give.Owners.IsRoot, give.Owners.IsNew, g.call.Caller.Owners)
			given = of.Given && err == nil
			if g.compared == nil {
				g.compared = map[comparedVolume]bool{}
			}
			g.compared[key] = given
		}
		return given
	})
}
