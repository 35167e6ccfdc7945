// SPDX-License-Identifier: Apache-2.0

// Package readers has the engines' own readers say whom they would start of an image that is unpacked.
package readers

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/moby/sys/symlink"
	"github.com/moby/sys/user"
	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// Never is the answer where no container starts.
const Never = "never"

func id(uid, gid uint32) string {
	if uid > 1<<31-1 || gid > 1<<31-1 { // runc, libcontainer: "cannot be negative", and int32
		return Never
	}
	return fmt.Sprintf("%d:%d", uid, gid)
}

// User is whom Docker starts, as dockerd calls moby/sys/user: it follows links no further than to the image's root.
func User(root, text string) (*user.ExecUser, error) {
	files := [2]string{}
	for n, name := range []string{"/etc/passwd", "/etc/group"} {
		at, err := symlink.FollowSymlinkInScope(filepath.Join(root, name), root)
		if err != nil {
			return nil, err
		}
		files[n] = at
	}
	return user.GetExecUserPath(text, nil, files[0], files[1])
}

// Docker is User as UID:GID.
func Docker(root, text string) string {
	u, err := User(root, text)
	if err != nil {
		return Never
	}
	return id(uint32(u.Uid), uint32(u.Gid))
}

// Containerd is whom containerd starts, as UID:GID.
func Containerd(root, text string) string {
	if text == "" { // as WithImageConfigArgs has it, which needs a content store
		return id(0, 0)
	}
	s := &specs.Spec{Root: &specs.Root{Path: root}, Process: &specs.Process{}, Linux: &specs.Linux{}}
	ctx := namespaces.WithNamespace(context.Background(), "test")
	if err := oci.WithUser(text)(ctx, nil, &containers.Container{}, s); err != nil {
		return Never
	}
	return id(s.Process.User.UID, s.Process.User.GID)
}
