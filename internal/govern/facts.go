// SPDX-License-Identifier: Apache-2.0

package govern

import (
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/homedir"
	"github.com/nonroot-runc/nonroot-runc/internal/host"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// containerFacts are the facts of a decision with what else the rewrite needs.
type containerFacts struct {
	policy.Facts
	image *homedir.Image
	home  string // HOME of the environment
	ours  func(spec.Mount) bool

	trusted func(dir string) bool // whether only root can change what a path of the host leads to

	shared []string // where bind mounts lie that share their mounts with the host, free of links
	join   string   // the path by which the runtime finds the user namespace that was looked at; "": none is joined

	before *policy.Identity // whom an earlier rewrite has made of this config.json's user; nil: there was none
	last   *policy.Identity // whom the container's last start had, as far as its bundle is still there; nil likewise
}

// facts gathers what the decision rests on. It reads the image's passwd only if it's asked for.
func (c *Call) facts(p *policy.Policy, doc *spec.Document, container *spec.Container) (*containerFacts, error) {
	dir := c.Bundle
	f := &containerFacts{Facts: policy.Facts{
		ID: c.ID, Own: c.Caller.Own,
		Groups: &host.Groups{File: host.GroupFile, Privileges: p.Privileged},
	}}
	err := c.particulars(&f.Facts, p, doc, container)
	if err == nil {
		err = ReadProcess(&f.Facts, p, doc)
	}
	if err == nil {
		f.home, err = doc.Variable("HOME")
	}
	if err != nil {
		return nil, fmt.Errorf("read %q: %w", dir.Join(bundle.Config), err)
	}
	f.Container, f.ours = container, Ours(dir)
	f.trusted = func(dir string) bool {
		_, isFile, err := bundle.Trusted(dir, c.Caller.Owners)
		return err == nil && !isFile
	}
	if f.UserNamespace, f.join, err = userNamespace(f.Container, c.Keep); err != nil {
		return nil, err
	}
	f.image, err = OpenImage(dir, f.Container, p.Stubless)
	if err != nil {
		return nil, err
	}
	if err := c.surroundings(f); err != nil {
		return nil, err
	}
	image := f.layers()
	f.Accounts = image
	f.Memberships = image.Memberships
	f.BuiltFor = func() homedir.Built { return image.BuiltFor(f.insideUID) }
	return f, err
}

// layers is the view of the image alone.
func (f *containerFacts) layers() *homedir.Image { return f.image.Layers(f.insideUID, f.trusted) }

// OpenImage opens the container's rootfs with the mounts that the engine asks for, without those of an earlier rewrite. One
// that is stubless gets no mount point that it lacks, as if it were read-only.
func OpenImage(dir *bundle.Dir, c *spec.Container, stubless bool) (*homedir.Image, error) {
	isOurs := Ours(dir)
	var theirs []homedir.Mount
	for _, m := range c.Mounts {
		if !isOurs(m) {
			theirs = append(theirs, homeMount(m))
		}
	}
	return homedir.Open(dir.Path, c.Rootfs, c.Readonly || stubless, theirs)
}

// ReadProcess adds to the facts what a process says of itself.
func ReadProcess(f *policy.Facts, p *policy.Policy, doc *spec.Document) error {
	var err error
	if f.User, err = doc.User(); err != nil {
		return err
	}
	if p.Variable { // a long environment is not taken apart for nothing
		if f.Env, err = doc.Env(); err != nil {
			return err
		}
	}
	f.Cwd, err = doc.Cwd()
	return err
}

// ownerUID is the container's uid as the files of its rootfs have it, in the caller's view.
func (f *containerFacts) ownerUID(uid uint32) uint32 {
	if f.UserNamespace != nil {
		uid, _ = f.UserNamespace.UID.Outside(uid) // mapped: the decision rests on it
	}
	return uid
}

// insideUID is the way back: whose file of the rootfs it is.
func (f *containerFacts) insideUID(owner uint32) (uid uint32, ok bool) {
	if f.UserNamespace != nil {
		return f.UserNamespace.UID.Inside(owner)
	}
	return owner, true
}
