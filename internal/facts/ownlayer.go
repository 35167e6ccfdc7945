// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"path"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// maxNamed bounds how many path components are looked up for the names in a script.
const maxNamed = 4096

// uses finds what the container's command needs: programs that the identity may not read, run or reach, and the
// directories of the applications that it works in.
func (g *Gathered) uses(d *decision.Decision) (closed, trees []string) {
	command, ok := g.command()
	if !ok {
		return nil, nil
	}
	uses := command.Uses(g.image.View)
	view := g.image.Bounded(maxNamed, nil)
	for _, p := range uses.Places {
		dir, ok := policy.Tree(p)
		if !ok {
			continue
		}
		// Links are resolved here, once and within bounds. A path that ends in a mount is not the image's.
		at, err := view.Look(dir)
		if err == nil && at.Mount == nil && !slices.Contains(trees, at.Path) {
			trees = append(trees, at.Path)
		}
	}
	passed := map[string]bool{"/": true}
	for i := range uses.Programs {
		at := &uses.Programs[i]
		if at.Stat.Size > layer.MaxLent || at.Stat.Nlink > 1 || g.passes(path.Dir(at.Path), d, passed) && g.may(unix.R_OK|unix.X_OK, &at.Stat, d.Identity) {
			continue
		}
		closed = append(closed, at.Path)
	}
	if closed != nil && !layer.IsOwn(&layer.Options{Rootfs: g.rootfs(), Made: layer.MadeFor(g.Bundle, g.ID)}) {
		return nil, trees // they stay closed there
	}
	return closed, trees
}

// passes reports whether the identity may search a directory of the image and those above it.
func (g *Gathered) passes(dir string, d *decision.Decision, known map[string]bool) bool {
	if may, ok := known[dir]; ok {
		return may
	}
	may := g.passes(path.Dir(dir), d, known)
	if may {
		st, err := g.image.Stat(dir)
		may = err != nil || g.may(unix.X_OK, &st, d.Identity)
	}
	known[dir] = may
	return may
}

// lastStart returns the identity of the container's last start, from its layer; nil if it never started, or if that
// can't be determined.
func (g *Gathered) lastStart() *policy.LastStart {
	if !g.lookedAtLast {
		g.lookedAtLast = true
		if last, ok := layer.LastStart(&layer.Options{Rootfs: g.rootfs(), Made: layer.MadeFor(g.Bundle, g.ID)}); ok {
			g.started = &last
		}
	}
	return g.started
}

// volumes finds the owners of the container's volumes, as ids in the container.
func (g *Gathered) volumes() {
	g.Volumes, g.Last = []policy.OwnedVolume{}, g.lastStart()
	of := plan.FileOwners(g.call.Policy, g.rule, 0, nil, g.UserNamespace, nil)
	for i := range g.Container.Mounts {
		m := &g.Container.Mounts[i]
		if !m.Binds() {
			continue
		}
		disk, empty, ok := layer.VolumeOwner(m.Source, g.rootfs(), m.Destination, g.call.Caller.Owners)
		if !ok || empty && of.IsNew(disk.UID) {
			continue
		}
		uid, ok := of.Inside(disk.UID)
		gid, hasGroup := of.InsideGroup(disk.GID)
		if !ok {
			continue
		}
		if !hasGroup {
			gid = 0 // the gid is not mapped
		}
		g.Volumes = append(g.Volumes, policy.OwnedVolume{Identity: policy.Identity{UID: uid, GID: gid}, Source: m.Source, Empty: empty})
	}
}

// prepares returns the user for whom the command prepares the container's volumes; uid 0: none.
func (g *Gathered) prepares() (who policy.Identity) {
	command, ok := g.command()
	if !ok {
		return who
	}
	var places []string
	for i := range g.Container.Mounts {
		if m := &g.Container.Mounts[i]; m.Binds() && !m.Readonly() && !engines.MakesFile(m.Source) {
			places = append(places, path.Clean("/"+m.Destination))
		}
	}
	command.Variable = g.variable
	command.Shell = func() string { return command.Leads(g.image.View) }
	if uid, gid, ok := command.Prepares(places); ok {
		who.UID, who.GID = uid, gid
	}
	return who
}

// variable returns the value of an environment variable. A variable that is set twice counts as unset: some programs
// use the first value, others the last.
func (g *Gathered) variable(name string) (value string, ok bool) {
	env, err := g.doc.Env()
	if err != nil {
		return "", false
	}
	for _, entry := range env {
		if v, is := strings.CutPrefix(entry, name+"="); is {
			if ok && v != value {
				return "", false
			}
			value, ok = v, true
		}
	}
	return value, ok
}
