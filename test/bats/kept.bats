#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what is not root stays as it is.

load helpers

teardown() {
  end_containers
  unlayered
}

# as ID puts a user of the image's with files of his own in his home, and lets the container run as him.
as() {
  printf 'app:x:%s:%s:App:/home/app:/bin/sh\n' "$1" "$1" >>"$ROOTFS/etc/passwd"
  printf 'app:x:%s:\n' "$1" >>"$ROOTFS/etc/group"
  mkdir -p "$ROOTFS/home/app/.local"
  chown -R "$1:$1" "$ROOTFS/home/app"
  config --argjson id "$1" '.process.user = {uid: $id, gid: $id} | .process.env += ["HOME=/home/app"]'
}

@test "1000:1000 keeps 1000:1000, in exec, too" {
  config '.process.user = {uid: 1000, gid: 1000}'
  nonroot_shows 'nonroot(1000; 1000)'
  fresh
  config '.process.user = {uid: 1000, gid: 1000}'
  detached nonroot
  status_shows 'nonroot(1000; 1000)' "$ID"
  process '.args = ["probe"] | .user = {uid: 1000, gid: 1000}'
  shows 'nonroot(1000; 1000)' nonroot exec --process "$PROCESS" "$ID"
  # Root becomes the container's own identity.
  process '.args = ["probe"]'
  shows 'nonroot(1000; 1000)' nonroot exec --process "$PROCESS" "$ID"
}

@test "a user of the image's keeps his name, his home and what is in it" {
  as 1000
  runs sh -c 'id; whoami; echo "home $HOME"; ls -A "$HOME"; touch "$HOME/mine" && echo written; grep -c nonroot-home /proc/mounts'
  says nonroot run "$ID"
  contains 'uid=1000(app) gid=1000(app)'
  contains 'home /home/app'
  contains .local
  contains written
}

@test "a volume at the home stays the home" {
  as 1000
  mkdir "$BUNDLE/volume"
  echo here >"$BUNDLE/volume/file"
  chown -R 1000:1000 "$BUNDLE/volume"
  reachable
  config --arg v "$BUNDLE/volume" '.mounts += [{destination: "/home/app", type: "bind", source: $v, options: ["bind"]}]'
  runs sh -c 'cat "$HOME/file"; echo "home $HOME"; touch "$HOME/mine" && echo written'
  succeeds nonroot run "$ID"
  contains here
  contains 'home /home/app'
  contains written
}

@test "his own home in the container's layer is his: what he has written is there at the next start, and never in the image" {
  as 1000
  rmdir "$ROOTFS/home/app/.local"
  # An account without its last field.
  sed -i 's#^app:.*#app:x:1000:1000:App:/home/app#' "$ROOTFS/etc/passwd"
  layered
  runs sh -c 'echo "home $HOME"; cat ~/mine; echo written >~/mine'
  local before
  before=$(<config.json)
  says bare run "$ID"
  succeeds bare run "$ID"
  contains $'home /home/app\nwritten'
  relayered
  says nonroot run "$ID"
  contains 'home /home/app'
  lacks written
  # As engines do at each start, the bundle is made anew; the layer is the same.
  printf '%s\n' "$before" >config.json
  succeeds nonroot run "$ID"
  contains $'home /home/app\nwritten'
  # Where he can't write, or what he writes would stay in the image, it is a tmpfs as for everybody.
  relayered
  printf '%s\n' "$before" >config.json
  config '.root.readonly = true'
  runs sh -c 'echo "home $HOME"; echo written >~/mine && grep " /home/app tmpfs " /proc/mounts'
  succeeds nonroot run "$ID"
  contains 'home /home/app'
  unlayered
  rm -rf "$ROOTFS" "$BATS_TEST_TMPDIR/layers"
  cp -a "$NONROOT_BATS_KIT" "$ROOTFS"
  fresh
  as 1000
  rmdir "$ROOTFS/home/app/.local"
  runs sh -c 'echo "home $HOME"; echo written >~/mine && grep " /home/app tmpfs " /proc/mounts'
  succeeds nonroot run "$ID"
  contains 'home /home/app'
  # Nor does whom the policy makes of root find a home of the image's lasting.
  rm -rf "$ROOTFS"
  cp -a "$NONROOT_BATS_KIT" "$ROOTFS"
  fresh
  as 1000
  rmdir "$ROOTFS/home/app/.local"
  config '.process.user = {uid: 0, gid: 0}'
  layered
  runs sh -c 'id -u; grep " /home/app tmpfs " /proc/mounts'
  succeeds nonroot run "$ID"
  contains 1000
}

@test "a uid that the image does not know gets a name and a home" {
  config '.process.user = {uid: 4711, gid: 4711}'
  runs sh -c 'id; echo "home $HOME"; touch "$HOME/mine" && echo written'
  succeeds nonroot run "$ID"
  contains 'uid=4711(nonroot) gid=4711(nonroot)'
  contains written
}
