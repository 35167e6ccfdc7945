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

// give finds what the image and its volumes keep for root and its service users; nil: nothing is given. An image that runs as
// who it asks for has what it needs, but for what it opens to group 0, which nobody has here. What runs while an image is built
// stays in that image.
func (g *Gathered) give(d *decision.Decision, owned map[int][]string) *plan.Give {
	p, c := g.rule, g.Container
	groupOnly := d.LosesRootGroup() && p.Adapt.GroupRoot
	emptyOnly := !d.StandsIn() && d.Source == policy.Kept && p.Adapt.Volumes && slices.ContainsFunc(c.Mounts, mayBeVolume)
	if !d.StandsIn() && !groupOnly && !emptyOnly || p.Stubless || engines.IsBuild(g.ID) {
		return nil
	}
	of := g.fileOwners()
	if groupOnly {
		of.Asked = 0 // what is opened to group 0 lies in root's directories
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
			// What an engine has copied to elsewhere is configuration, or programs.
			at, state := g.mayGive(m.Destination)
			out.Volumes = append(out.Volumes, plan.Volume{Source: m.Source, Destination: at, State: state})
		}
	}
	return out
}

// wanted are the directories that are to be given, in the order in which they are, as there may be more than is given. Of a user who is kept,
// only what root's group may write is given, which may lie deep: where it works and has its home comes first.
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

// rootfs is where the rootfs is, absolute.
func (g *Gathered) rootfs() string {
	if at := g.Container.Rootfs; path.IsAbs(at) {
		return at
	}
	return path.Join(g.Bundle, g.Container.Rootfs)
}

// mayBeVolume says that a mount is one that can be written, of something that may be a volume of an engine's.
func mayBeVolume(m spec.Mount) bool {
	return m.Binds() && !m.Readonly() && len(engines.VolumeMarks(m.Source)) > 0
}

// mayGive says where a path of the container's leads, free of links, and whether what lies there can be given.
func (g *Gathered) mayGive(p string) (at string, ok bool) {
	at = path.Clean("/" + p)
	s, err := g.image.Look(at)
	if err != nil {
		return at, false
	}
	return s.Path, policy.MayGive(s.Path)
}

// fileOwners tells whose files of the image are the identity's to have.
func (g *Gathered) fileOwners() plan.Owners {
	before := g.last
	if before == nil {
		if last := g.lastStart(); last != nil { // Docker leaves no bundle
			before = &last.Identity
		}
	}
	return plan.FileOwners(g.call.Policy, g.rule, g.User.UID, before, g.UserNamespace, g.layers().UIDs())
}

// ownedTmpfs says which tmpfs mounts are the identity's, and their options without an owner: like a new volume, one is empty, and
// the container's alone. The engine's own lie where nothing is given, such as /dev. The owner that an earlier rewrite has put last
// is not somebody's wish, and may be another identity by now.
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
		// Podman writes the container's user there (--mount type=tmpfs,chown=true), for whom the identity stands in.
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

// hasOwner says that an option of a mount names an owner. Runtimes hand on what they do not know as it is, commas and all.
func hasOwner(option string) bool {
	for o := range strings.SplitSeq(option, ",") {
		if strings.HasPrefix(o, "uid=") || strings.HasPrefix(o, "gid=") {
			return true
		}
	}
	return false
}
