#!/usr/bin/env bash
# SPDX-License-Identifier: Apache-2.0
#
# Packages:  github.com/opencontainers/runc v1.5.3, Debian 12's crun 1.8.1-1+deb12u1 (as root, on amd64)
# Guess:     `exec --env NAME=VALUE` adds a variable to those of the container, as both help texts say "set" or "specify an environment
#            variable", and crun takes runc's command line
# What is:   runc adds it. In crun the first --env replaces the whole environment, PATH included, which an exec without --env has; and
#            --user UID without a group keeps the container's groups in runc, and is group 0 without any other in crun
# Why here:  nonroot-runc makes the process of such an exec itself, in runc's way, and hands it over with --process (internal/spec/exec.go):
#            what it has judged is then what either of the two starts

set -euo pipefail
name=finding-$$
work=$(mktemp -d)
finish() {
  [[ ! -d $work/runc.state/$name ]] || runc delete --force "$name"
  [[ ! -d $work/crun.state/$name ]] || crun delete --force "$name"
  chmod -R u+w "$work"
  rm -rf "$work"
}
trap finish EXIT
cd "$work"
source=$(go mod download -json github.com/opencontainers/runc@v1.5.3 | sed -n 's/.*"Dir": "\(.*\)".*/\1/p')
cp -r --no-preserve=mode "$source" source
(cd source && CGO_ENABLED=1 go build -mod=mod -trimpath -buildvcs=false -o "$work/runc" .)
chmod 755 .
apt-get download -qq -o APT::Sandbox::User=root crun=1.8.1-1+deb12u1 libyajl2
for package in *.deb; do dpkg -x "$package" .; done
LD_LIBRARY_PATH=$(dirname "$(find "$work/usr/lib" -name libyajl.so.2)")
export LD_LIBRARY_PATH
runc() { "$work/runc" --root "$work/runc.state" "$@"; }
# crun wants cgroups of v1 or of v2. Where a machine has both in one tree, an empty one is mounted over it, for crun alone.
crun() {
  unshare --mount --propagation private sh -c '[ "$(stat -f -c %T /sys/fs/cgroup)" != tmpfs ] || mount -t tmpfs cgroup /sys/fs/cgroup; exec "$@"' sh \
    "$work/usr/bin/crun" --root "$work/crun.state" --cgroup-manager disabled "$@"
}

mkdir -p rootfs/proc
cat >show.go <<'GO'
package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	if len(os.Args) > 1 {
		time.Sleep(time.Minute)
	}
	groups, _ := os.Getgroups()
	fmt.Printf("A=%q B=%q PATH=%q user %d:%d %v\n", os.Getenv("A"), os.Getenv("B"), os.Getenv("PATH"), os.Getuid(), os.Getgid(), groups)
}
GO
CGO_ENABLED=0 go build -o rootfs/show show.go
cat >config.json <<'JSON'
{
  "ociVersion": "1.0.2",
  "process": {
    "user": {"uid": 1000, "gid": 2000, "additionalGids": [3000]},
    "args": ["/show", "later"], "env": ["A=container", "PATH=/bin"], "cwd": "/"
  },
  "root": {"path": "rootfs"},
  "mounts": [{"destination": "/proc", "type": "proc", "source": "proc"}],
  "linux": {"namespaces": [{"type": "pid"}, {"type": "mount"}]}
}
JSON
for runtime in runc crun; do
  $runtime run --detach --bundle . "$name" </dev/null >/dev/null 2>&1
  echo "$runtime, --user 1001"
  $runtime exec --user 1001 "$name" /show
  echo "$runtime, --user 1001 --env B=exec"
  $runtime exec --user 1001 --env B=exec "$name" /show
  $runtime delete --force "$name"
done | tee seen
diff - seen <<'SEEN'
runc, --user 1001
A="container" B="" PATH="/bin" user 1001:2000 [3000]
runc, --user 1001 --env B=exec
A="container" B="exec" PATH="/bin" user 1001:2000 [3000]
crun, --user 1001
A="container" B="" PATH="/bin" user 1001:0 []
crun, --user 1001 --env B=exec
A="" B="exec" PATH="" user 1001:0 []
SEEN
