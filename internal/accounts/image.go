// SPDX-License-Identifier: Apache-2.0

// Package accounts reads and edits passwd and group: an image's own, those that are mounted over them, and an
// administrator's list. From them it determines which user an image was built for. Any line may be crafted to be read
// differently by different parsers. Finding the files belongs to internal/rootfs, deciding who a container runs as to
// internal/policy.
package accounts

import (
	"fmt"

	"github.com/nonroot-runc/nonroot-runc/internal/rootfs"
)

// Image is a rootfs with the contents of its passwd and group. It isn't safe for concurrent use.
type Image struct {
	*rootfs.View
	loaded bool
	passwd database
	group  database
	layers *Image // the view of the image alone; nil: not opened
}

// In returns the accounts of a rootfs; its files are read on demand.
func In(view *rootfs.View) *Image { return &Image{View: view} }

// Close closes the rootfs and its layers.
func (im *Image) Close() error {
	if im.layers != nil && im.layers.View != im.View {
		_ = im.layers.View.Close() // nothing was written
	}
	return im.View.Close()
}

// Layers returns the view of the image alone, without what the container has written to its own layer: only the image
// may say who it was built for. Otherwise a container's process could choose the user of its next start, if /etc/passwd
// is a link to a path that it can write, or by directories that it leaves (SECURITY.md A15). The mounts are the same.
//
// Before a container's first start its own layer is empty, and the view is the container's own. The same goes if the
// layers can't be told apart, as without an overlay, but then only what only root could have written is believed.
//
// inside translates the owner of a file of the rootfs into a uid of the container's.
//
// trusted reports whether only root can change what a path of the host leads to. A layer with a path that others can
// redirect doesn't count: if an engine unmounts a layer once the overlay is mounted, another user may have put a
// different directory in its place.
func (im *Image) Layers(inside func(owner uint32) (uid uint32, ok bool), trusted func(dir string) bool) *Image {
	if im.layers != nil {
		return im.layers
	}
	im.layers = im
	switch lower, err := im.Lower(trusted); {
	case err != nil:
		im.layers = im.believed(inside)
	case lower != nil:
		im.layers = In(lower)
		im.layers.layers = im.layers
	}
	return im.layers
}

// Files returns the texts of passwd and group, for a decision that looks up names and numbers. ownGroup reports that
// the latter is the image's own, and not mounted.
func (im *Image) Files() (files *Files, ownGroup bool) {
	im.load()
	return &Files{Passwd: im.passwd.text, Group: im.group.text}, im.group.own
}

// believed returns a view of the same rootfs that believes only what only root can have written.
func (im *Image) believed(inside func(uint32) (uint32, bool)) *Image {
	im.load()
	v := *im
	v.layers = &v
	for p, d := range map[string]*database{"/etc/passwd": &v.passwd, "/etc/group": &v.group} {
		if d.own && !v.RootsAlone(p, inside) {
			*d = database{note: fmt.Sprintf("%s says nothing about the image: others than root can write it, or redirect it", p)}
		}
	}
	return &v
}

// load reads the two files, once.
func (im *Image) load() {
	if im.loaded {
		return
	}
	im.loaded = true
	im.passwd = im.database("/etc/passwd", passwdFields)
	im.group = im.database("/etc/group", groupFields)
	if im.passwd.mountable && im.passwd.at == im.group.at {
		im.group = database{note: "no group name: the image's passwd and group are one file"}
	}
}
