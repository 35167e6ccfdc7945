// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"path"

	"golang.org/x/sys/unix"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/layer"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
)

// closedProgram is the program that the container starts, where the identity may not read and run it; "": it may.
func (g *Gathered) closedProgram(d *decision.Decision) string {
	command, ok := g.command()
	if !ok {
		return ""
	}
	at, ok := command.Program(g.image.View)
	if !ok || at.Stat.Size > layer.MaxLent || at.Stat.Nlink > 1 || g.may(unix.R_OK|unix.X_OK, &at.Stat, d.Identity) {
		return ""
	}
	if !layer.IsOwn(&layer.Options{Rootfs: g.rootfs(), Made: layer.MadeFor(g.Bundle, g.ID)}) {
		return "" // there it stays closed
	}
	return at.Path
}

// lastStart is who the container was at its last start, by its layer; nil: it never was, or that can't be told.
func (g *Gathered) lastStart() *policy.LastStart {
	if !g.lookedAtLast {
		g.lookedAtLast = true
		if last, ok := layer.LastStart(&layer.Options{Rootfs: g.rootfs(), Made: layer.MadeFor(g.Bundle, g.ID)}); ok {
			g.started = &last
		}
	}
	return g.started
}

// volumes finds who owns the container's volumes in which something was written, as the container has the ids.
func (g *Gathered) volumes() {
	g.Volumes, g.Last = []policy.OwnedVolume{}, g.lastStart()
	of := g.owners()
	for i := range g.Container.Mounts {
		m := &g.Container.Mounts[i]
		if !m.Binds() {
			continue
		}
		disk, ok := layer.VolumeOwner(m.Source, g.rootfs(), m.Destination, g.call.Caller.Owners)
		if !ok {
			continue
		}
		uid, ok := of.Inside(disk.UID)
		gid, hasGroup := of.InsideGroup(disk.GID)
		if !ok {
			continue
		}
		if !hasGroup {
			gid = 0 // none that is anybody's
		}
		g.Volumes = append(g.Volumes, policy.OwnedVolume{Identity: policy.Identity{UID: uid, GID: gid}, Source: m.Source})
	}
}

// prepares is whom the command prepares the container's volumes for; uid 0: nobody.
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
	if uid, gid, ok := command.Prepares(places); ok {
		who.UID, who.GID = uid, gid
	}
	return who
}
