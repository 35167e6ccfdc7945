#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: and never 0 on the host (THREATS.md B7, B10, B11).

load helpers

# maps KIND makes the container's 1000 the host's 0, for uid or gid.
maps() {
  mapped
  config --arg kind "$1" '.process.user = {uid: 1000, gid: 1000}
    | .linux[$kind + "Mappings"] = [{containerID: 0, hostID: 100000, size: 1000}, {containerID: 1000, hostID: 0, size: 1},
        {containerID: 1001, hostID: 101001, size: 64535}]'
}

@test "B7: the container's 1000 is the host's root" {
  maps uid
  detached bare
  status_shows root "$ID"
  runs probe
  refused "host's root" nonroot run "$ID-2"
}

@test "B7: the container's group 1000 is the host's group 0" {
  maps gid
  detached bare
  status_shows 'gid(0)' "$ID"
  # The gid is replaced like any that means something on the host, or the container is refused.
  runs probe
  says nonroot run "$ID-2"
  [[ $STATUS != 0 ]] || shows 'uid(1000) and (.Gid | all(. != 1000)) and powerless' cat "$BATS_TEST_TMPDIR/out"
}

@test "B7: an identity that is not mapped" {
  mapped
  config '.linux.uidMappings[0].size = 1000 | .linux.gidMappings[0].size = 1000'
  refused 'not mapped' nonroot run "$ID"
}

@test "B7: a map that sends nobody to root works" {
  mapped
  nonroot_shows nonroot
}

@test "B10: id-mapped mounts, in both spellings" {
  config '.mounts += [{destination: "/srv", type: "bind", source: "/srv", options: ["bind", "idmap=uids=0-1000-1;gids=0-1000-1"]}]'
  refused idmap nonroot run "$ID"
  fresh
  config '.mounts += [{destination: "/srv", type: "bind", source: "/srv", options: ["bind"],
    uidMappings: [{containerID: 0, hostID: 1000, size: 1}], gidMappings: [{containerID: 0, hostID: 1000, size: 1}]}]'
  refused 'mount' nonroot run "$ID"
}

@test "B11: no mount namespace, or somebody else's" {
  config '.linux.namespaces |= map(select(.type != "mount"))'
  refused 'mount namespace' nonroot run "$ID"
  fresh
  config '.linux.namespaces |= map(if .type == "mount" then .path = "/proc/1/ns/mnt" else . end)'
  refused 'mount namespace' nonroot run "$ID"
}

@test "C9: a working folder below /proc" {
  config '.process.cwd = "/proc/self/fd/7"'
  refused 'working directory' nonroot run "$ID"
}
