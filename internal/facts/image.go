// SPDX-License-Identifier: Apache-2.0

package facts

import (
	"github.com/nonroot-runc/nonroot-runc/internal/accounts"
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/plan"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
	"github.com/nonroot-runc/nonroot-runc/internal/trusted"
)

// OpenImage opens the container's rootfs with the engine's mounts, without those of an earlier rewrite. With noStubs,
// missing mount points are not created, as if the rootfs were read-only.
func OpenImage(dir *bundle.Dir, c *spec.Container, noStubs bool) (*accounts.Image, error) {
	isOurs := plan.Ours(dir.Path)
	var theirs []rootfs.Mount
	for _, m := range c.Mounts {
		if !isOurs(m) {
			theirs = append(theirs, plan.RootfsMount(m))
		}
	}
	view, err := rootfs.Open(dir.Path, c.Rootfs, c.Readonly || noStubs, theirs)
	if err != nil {
		return nil, err
	}
	return accounts.In(view), nil
}

// layers returns the view of the image alone: files that the container wrote into its own layer must not decide
// anything.
func (g *Gathered) layers() *accounts.Image {
	return g.image.Layers(g.owners().Inside, func(dir string) bool {
		_, isFile, err := trusted.CheckPath(dir, g.call.Caller.Owners)
		return err == nil && !isFile
	})
}

// owners translates the owners of files in the rootfs, as far as the container's user namespace shows.
func (g *Gathered) owners() plan.Owners { return plan.Owners{Map: g.UserNamespace} }

// accounts reads the image's passwd and group.
func (g *Gathered) accounts() {
	g.Accounts, g.OwnGroup = g.layers().Files()
}

// intended looks for the image's service user.
func (g *Gathered) intended() {
	found := g.layers().BuiltFor(g.owners().Inside)
	g.Intended = &found
}

// readProcess adds the facts from a process's document.
func readProcess(f *policy.Facts, p *policy.Policy, doc *spec.Document) error {
	var err error
	if f.User, err = doc.User(); err != nil {
		return err
	}
	f.Seen = true
	if p.Variable || p.Audit != nil && p.Audit.Variable { // parse a long environment only if the policy needs it
		if f.Env, err = doc.Env(); err != nil {
			return err
		}
	}
	f.Cwd, err = doc.Cwd()
	return err
}
