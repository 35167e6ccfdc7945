// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"path"
	"slices"
	"strings"

	"github.com/nonroot-runc/nonroot-runc/internal/decision"
	"github.com/nonroot-runc/nonroot-runc/internal/engines"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// give finds what belongs to root and to service users in the image and its volumes and is to change owner; nil if
// nothing is. An image that runs as the user it asks for has what it needs, except for what is open to group 0, which
// no process has here. Nothing changes during a build, because the change would stay in the image.
func (g *Gathered) give(d *decision.Decision, owned map[int][]string) *plan.Give {
	p, c := g.rule, g.Container
	groupOnly := d.LosesRootGroup() && p.Adapt.GroupRoot
	emptyOnly := !d.StandsIn() && d.Source == policy.Kept && p.Adapt.Volumes && slices.ContainsFunc(c.Mounts, mayBeVolume)
	if !d.StandsIn() && !groupOnly && !emptyOnly || p.Stubless || engines.IsBuild(g.ID) {
		return nil
	}
	of := g.fileOwners()
	if groupOnly {
		of.Asked = 0 // what is open to group 0 is in root's directories
	}
	out := &plan.Give{
		Rootfs: g.rootfs(), UID: of.Outside(d.Identity.UID), GID: of.OutsideGroup(d.Identity.GID), Owners: of,
		Keep: p.Adapt.Keep, Covered: g.image.Covered, GroupRoot: p.Adapt.GroupRoot, Tmp: p.Adapt.Tmp && !c.Readonly && d.StandsIn(),
		GroupOnly: groupOnly, EmptyOnly: emptyOnly, LostGroup: d.LosesRootGroup(),
	}
	if !c.Readonly && (d.StandsIn() || groupOnly) {
		var trees []string
		if out.Applications = p.Adapt.Applications; out.Applications {
			out.Programs, trees = g.uses(d)
		}
		for _, dir := range g.wanted(groupOnly, trees) {
			if at, ok := g.mayGive(dir); ok && !slices.Contains(out.Paths, at) {
				out.Paths = append(out.Paths, at)
			}
		}
	}
	for i := range c.Mounts {
		m := &c.Mounts[i]
		if like := plan.RootfsMount(*m); owned[i] != nil && like.CopiesUp() {
			at, _ := g.mayGive(m.Destination)
			out.Paths = append(out.Paths, at)
		}
		if _, _, isSecret := engines.SecretOf(m.Source, g.ID); isSecret && p.Adapt.Secrets && m.Binds() && d.StandsIn() {
			out.Secrets = append(out.Secrets, m.Source)
		}
		if p.Adapt.Volumes && mayBeVolume(*m) {
			// Anything that an engine has copied elsewhere is configuration or programs.
			at, state := g.mayGive(m.Destination)
			out.Volumes = append(out.Volumes, plan.Volume{Source: m.Source, Destination: at, State: state})
		}
	}
	return out
}

// wanted returns the directories that are to change owner. Their order matters, as there may be more than the limit:
// for a user who is kept, only what root's group may write changes, which may be deep, so the working directory and the
// home come first.
func (g *Gathered) wanted(groupOnly bool, trees []string) []string {
	var work []string
	if g.rule.Adapt.WorkingDir {
		work = append(work, g.Cwd)
	}
	if home := g.askedHome(); groupOnly && path.IsAbs(home) {
		work = append(work, home)
	}
	work = append(work, trees...)
	if groupOnly {
		return append(work, g.rule.Adapt.Own...)
	}
	return append(slices.Clone(g.rule.Adapt.Own), work...)
}

// rootfs returns the absolute path of the rootfs.
func (g *Gathered) rootfs() string {
	if at := g.Container.Rootfs; path.IsAbs(at) {
		return at
	}
	return path.Join(g.Bundle, g.Container.Rootfs)
}

// mayBeVolume reports whether a mount is writable and its source may be an engine's volume.
func mayBeVolume(m spec.Mount) bool {
	return m.Binds() && !m.Readonly() && len(engines.VolumeMarks(m.Source)) > 0
}

// mayGive resolves the links of a path in the container, and reports whether what is there may change owner.
func (g *Gathered) mayGive(p string) (at string, ok bool) {
	at = path.Clean("/" + p)
	s, err := g.image.Look(at)
	if err != nil {
		return at, false
	}
	return s.Path, policy.MayGive(s.Path)
}

// fileOwners returns whose files of the image the identity may come to own.
func (g *Gathered) fileOwners() plan.Owners {
	before := g.last
	if before == nil {
		if last := g.lastStart(); last != nil { // Docker leaves no bundle
			before = &last.Identity
		}
	}
	return plan.FileOwners(g.call.Policy, g.rule, g.User.UID, before, g.UserNamespace, g.layers().UIDs())
}

// ownedTmpfs returns the tmpfs mounts that will belong to the identity, with their options except the owner: like a new
// volume, one is empty and used by this container alone. Engines' own are at paths that never change owner, such as
// /dev. An owner that an earlier rewrite added is not the user's choice, and the identity may have changed since.
func (g *Gathered) ownedTmpfs(d *decision.Decision) map[int][]string {
	if !d.StandsIn() || g.rule.Stubless || !g.rule.Adapt.Volumes {
		return nil
	}
	var owned map[int][]string
	for i, m := range g.Container.Mounts {
		if m.Type != "tmpfs" || m.Binds() || homedir.Ours(plan.RootfsMount(m)) {
			continue
		}
		options := m.Options
		if g.before != nil {
			ours := spec.Owner(g.before.UID, g.before.GID)
			if n := len(options) - len(ours); n >= 0 && slices.Equal(options[n:], ours) {
				options = options[:n]
			}
		}
		// Podman writes the container's user there (--mount type=tmpfs,chown=true); the identity replaces that user.
		asked := spec.Owner(g.User.UID, g.User.GID)
		options = slices.DeleteFunc(slices.Clone(options), func(o string) bool { return slices.Contains(asked, o) })
		if slices.ContainsFunc(options, hasOwner) {
			continue
		}
		if _, ok := g.mayGive(m.Destination); ok {
			if owned == nil {
				owned = map[int][]string{}
			}
			owned[i] = append([]string{}, options...)
		}
	}
	return owned
}

// hasOwner reports whether a mount option names an owner. Runtimes pass on options they don't know unchanged, commas
// included.
func hasOwner(option string) bool {
	for o := range strings.SplitSeq(option, ",") {
		if strings.HasPrefix(o, "uid=") || strings.HasPrefix(o, "gid=") {
			return true
		}
	}
	return false
}
