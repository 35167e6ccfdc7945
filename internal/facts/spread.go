// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"fmt"
	"path"
	"slices"

	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/links"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// spread finds mounts that would propagate to the host: those that the runtime makes inside a bind mount that shares
// its mounts with the host (mount_namespaces(7), "Shared subtrees"). The container's process needs no privilege for
// that: the runtime mounts as root, and the host's /usr/bin would then show the container's files (SECURITY.md B13).
func (g *Gathered) spread() ([]policy.Spread, error) {
	c := g.Container
	var sharing []int
	for i := range c.Mounts {
		if sharesWithHost(c, &c.Mounts[i]) {
			sharing = append(sharing, i)
		}
	}
	if len(sharing) == 0 {
		return nil, nil
	}
	// Resolve each destination once: those that the runtime mounts by itself, then those of config.json.
	named := slices.Clone(c.Covers)
	for i := range c.Mounts {
		named = append(named, c.Mounts[i].Destination)
	}
	at := make([]string, len(named))
	for i, destination := range named {
		var err error
		if at[i], err = g.resolve(destination); err != nil {
			return nil, err
		}
	}
	var found []policy.Spread
	ours := plan.Ours(g.Bundle)
	first := len(c.Covers)
	for _, i := range sharing {
		within := at[first+i]
		g.shared = append(g.shared, within)
		for j, destination := range named {
			if j == first+i || !links.Within(within, at[j]) || j >= first && ours(c.Mounts[j-first]) {
				continue
			}
			found = append(found, policy.Spread{Mount: destination, Within: c.Mounts[i].Destination})
		}
	}
	return found, nil
}

// sharesWithHost reports whether mounts made inside a bind mount propagate to the host. Runtimes make the whole tree a
// slave of the host's, unless linux.rootfsPropagation makes it shared. Then a bind mount is a peer of the host's unless
// one of its own options prevents that (runc, libcontainer/rootfs_linux.go, prepareRoot; crun likewise).
func sharesWithHost(c *spec.Container, m *spec.Mount) bool {
	if slices.Contains([]string{"", "private", "rprivate", "slave", "rslave", "unbindable", "runbindable"}, c.RootfsPropagation) || !m.Binds() {
		return false
	}
	has := func(options ...string) bool {
		return slices.ContainsFunc(options, func(o string) bool { return slices.Contains(m.Options, o) })
	}
	isParted := has("rprivate", "rslave", "runbindable") || !has("rbind") && has("bind") && has("private", "slave", "unbindable")
	return has("shared", "rshared") || !isParted
}

// resolve returns a mount's destination with links resolved.
func (g *Gathered) resolve(destination string) (string, error) {
	at, err := g.image.Look(path.Clean("/" + destination))
	if err != nil {
		return "", fmt.Errorf("find which mount %q is in, as some share theirs with the host: %w", destination, err)
	}
	return at.Path, nil
}

// isolateNames removes from a plan the mounts inside directories that are shared with the host.
func (g *Gathered) isolateNames(home *homedir.Plan) (notes []string) {
	within := func(p string) bool {
		at, err := g.image.Look(p)
		return len(g.shared) > 0 && (err != nil || slices.ContainsFunc(g.shared, func(directory string) bool { return links.Within(directory, at.Path) }))
	}
	for _, file := range []struct {
		path string
		data *[]byte
	}{{"/etc/passwd", &home.Passwd}, {"/etc/group", &home.Group}} {
		if *file.data != nil && within(file.path) {
			*file.data, home.Numbers = nil, false
			notes = append(notes, fmt.Sprintf("no copy of %s: it lies in a mount by which the host would have it, too", file.path))
		}
	}
	return notes
}
