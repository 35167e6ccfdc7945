#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Packages:  github.com/moby/sys/user v0.5.0 (Docker, Podman, BuildKit), github.com/containerd/containerd/v2 v2.4.2, oci.WithUser (ctr,
#            nerdctl, and Kubernetes through the CRI plugin)
# Guess:     a user whose group was left empty, as bash makes of --user "$UID:$GID" (it has no GID), is refused or means what it means
#            without the colon
# What is:   to Docker's library it means that: the group of passwd, and the groups that have the user as a member. To containerd it is
#            group 0 and no other, by number and by name, while both agree on every form that has no colon at its end
# Why here:  the same image is in root's group on one engine and not on the other; nonroot-ctl check takes the worse of the two

set -euo pipefail
work=$(mktemp -d)
trap 'chmod -R u+w "$work" && rm -rf "$work"' EXIT
cd "$work"
cat >go.mod <<'MOD'
module finding

go 1.26

require (
	github.com/containerd/containerd/v2 v2.4.2
	github.com/moby/sys/user v0.5.0
	github.com/opencontainers/runtime-spec v1.3.0
)
MOD
cat >main.go <<'GO'
package main

import (
	"context"
	"fmt"

	"github.com/containerd/containerd/v2/core/containers"
	"github.com/containerd/containerd/v2/pkg/namespaces"
	"github.com/containerd/containerd/v2/pkg/oci"
	"github.com/moby/sys/user"
	"github.com/opencontainers/runtime-spec/specs-go"
)

func main() {
	const root = "/proc/self/cwd/rootfs"
	for _, text := range []string{"1000", "app", "1000:2000", "1000:", "app:"} {
		u, err := user.GetExecUserPath(text, nil, root+"/etc/passwd", root+"/etc/group")
		if err != nil {
			panic(err)
		}
		s := &oci.Spec{Root: &specs.Root{Path: root}, Linux: &specs.Linux{}}
		ctx := namespaces.WithNamespace(context.Background(), "finding")
		if err := oci.ApplyOpts(ctx, nil, &containers.Container{}, s, oci.WithUser(text)); err != nil {
			panic(err)
		}
		fmt.Printf("%-9s  moby %d:%d  containerd %d:%d\n", text, u.Uid, u.Gid, s.Process.User.UID, s.Process.User.GID)
	}
}
GO
mkdir -p rootfs/etc
printf '%s\n' root:x:0:0::/root:/bin/sh app:x:1000:2000::/home/app:/bin/sh >rootfs/etc/passwd
printf '%s\n' root:x:0: app:x:2000: >rootfs/etc/group
go mod tidy >/dev/null 2>&1
go run . | tee seen
diff - seen <<'SEEN'
1000       moby 1000:2000  containerd 1000:2000
app        moby 1000:2000  containerd 1000:2000
1000:2000  moby 1000:2000  containerd 1000:2000
1000:      moby 1000:2000  containerd 1000:0
app:       moby 1000:2000  containerd 1000:0
SEEN
