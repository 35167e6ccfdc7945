#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: what is not root stays as it is.

load helpers

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

@test "a uid that the image does not know gets a name and a home" {
  config '.process.user = {uid: 4711, gid: 4711}'
  runs sh -c 'id; echo "home $HOME"; touch "$HOME/mine" && echo written'
  succeeds nonroot run "$ID"
  contains 'uid=4711(nonroot) gid=4711(nonroot)'
  contains written
}
