// SPDX-License-Identifier: Apache-2.0

package main

import (
	"github.com/nonroot-runc/nonroot-runc/internal/bundle"
	"github.com/nonroot-runc/nonroot-runc/internal/policy"
	"github.com/nonroot-runc/nonroot-runc/internal/spec"
)

// reclaim takes the bundle back from the root of the container's user namespace, to whom rootful Podman has given it. What
// was read of it before counts for nothing.
func reclaim(dir *bundle.Dir) error {
	config, err := dir.Read(bundle.Config)
	if err != nil {
		return err
	}
	doc, err := spec.ParseConfig(config)
	if err != nil {
		return err
	}
	c, err := doc.Container()
	if err != nil {
		return err
	}
	uid, isMapped := policy.FromSpec(c.UIDMap).Outside(0)
	gid, isGroupMapped := policy.FromSpec(c.GIDMap).Outside(0)
	if !isMapped || !isGroupMapped {
		return fail("the container has no root of its own", "leave the bundle to root")
	}
	return dir.TakeBack(uid, gid)
}
