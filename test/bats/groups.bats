#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no group 0, nor any group that means something on the host (SECURITY.md A2, A3).

load helpers

# secret GID makes a file that only the group can read, and mounts it where the container sees it.
secret() {
  printf 'the secret\n' >"$BATS_TEST_TMPDIR/secret"
  chgrp "$1" "$BATS_TEST_TMPDIR/secret"
  chmod 640 "$BATS_TEST_TMPDIR/secret"
  config --arg source "$BATS_TEST_TMPDIR/secret" \
    '.mounts += [{destination: "/srv/secret", type: "bind", source: $source, options: ["bind", "ro"]}]'
}

# with_host_group LINE COMMAND... adds a line to the host's /etc/group, for the command alone.
with_host_group() {
  { cat /etc/group && printf '%s\n' "$1"; } >"$BATS_TEST_TMPDIR/group"
  shift
  unshare --mount --propagation private \
    sh -c 'mount --bind "$0" /etc/group && exec "$@"' "$BATS_TEST_TMPDIR/group" "$@"
}

@test "A2: gid 0 and group 0 beside a uid, as docker run -u 12345 gives them" {
  config '.process.user = {uid: 12345, gid: 0, additionalGids: [0]}'
  bare_shows 'uid(12345) and gid(0) and .Groups == [0]'
  nonroot_shows 'nonroot(12345; 65532) and .Groups == []'
}

@test "A2: a gid of 0 becomes the user's own group where the image's passwd has one" {
  printf 'app:x:12345:12000::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  config '.process.user = {uid: 12345, gid: 0}'
  bare_shows 'gid(0)'
  nonroot_shows 'nonroot(12345; 12000)'
}

@test "A2: a primary gid of 42 reads the host's shadow" {
  secret 42
  config '.process.user = {uid: 1000, gid: 42}'
  runs cat /srv/secret
  succeeds bare run "$ID"
  contains 'the secret'
  says nonroot run "$ID"
  lacks 'the secret'
  runs probe
  nonroot_shows 'uid(1000) and (.Gid | all(. != 42)) and powerless'
}

@test "A3: groups 6, 42 and 999 from the image's own group file" {
  secret 6
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [1000, 6, 42, 999]}'
  bare_shows '.Groups | index(6) and index(42) and index(999)'
  runs cat /srv/secret
  succeeds bare run "$ID"
  contains 'the secret'
  says nonroot run "$ID"
  lacks 'the secret'
  runs probe
  nonroot_shows 'nonroot(1000; 1000) and (.Groups | all(. == 1000))'
}

@test "A3: a block device of group disk" {
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [6]}
    | .linux.devices = [{path: "/dev/disk0", type: "b", major: 254, minor: 0, fileMode: 432, uid: 0, gid: 6}]
    | .linux.resources.devices += [{allow: true, type: "b", major: 254, minor: 0, access: "rwm"}]'
  # Permission alone is asked: whether a device has that number is the machine's matter.
  runs sh -c 'test -r /dev/disk0 && echo readable'
  says bare run "$ID"
  contains readable
  says nonroot run "$ID"
  lacks readable
}

@test "A3: fsGroup and supplementalGroups go on working" {
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000, 3000]}'
  nonroot_shows 'nonroot(1000; 1000) and .Groups == [2000, 3000]'
}

@test "A3: a high gid that the host names is dropped, unless the policy allows it" {
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000, 5000]}'
  shows '.Groups == [2000]' with_host_group 'team:x:5000:' "${NONROOT[@]}" run "$ID"
  fresh
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000, 5000]}'
  policy <<<$'[identity]\nallowed_gids = [5000]'
  shows '.Groups == [2000, 5000]' with_host_group 'team:x:5000:' "${NONROOT[@]}" run "$ID"
}

# by_names: runc before 1.3 takes an additional gid for a name first, and asks the image's group file for it.
by_names() { [[ $(bare --version) == "runc version 1."[0-2].* ]]; }

@test "A3: additional gids that the image's group file makes root's and disk's" {
  printf '5000:x:0:\n6000:x:6:\n' >>"$ROOTFS/etc/group"
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [5000, 6000]}'
  ! by_names || bare_shows '.Groups | index(0) and index(6)'
  nonroot_shows 'nonroot(1000; 1000) and (.Groups | sort == [5000, 6000])'
}

@test "A3: the same by a group file of which no copy can be mounted, at creation and in an exec" {
  mkdir "$BATS_TEST_TMPDIR/volume"
  printf '5000:x:0:\n' >"$BATS_TEST_TMPDIR/volume/group"
  ln -sf /srv/volume/group "$ROOTFS/etc/group"
  config --arg source "$BATS_TEST_TMPDIR/volume" '.process.user = {uid: 1000, gid: 1000, additionalGids: [5000]}
    | .mounts += [{destination: "/srv/volume", type: "bind", source: $source, options: ["bind", "ro"]}]'
  ! by_names || bare_shows '.Groups == [0]'
  nonroot_shows 'nonroot(1000; 1000) and .Groups == []'

  process '.user = {uid: 1000, gid: 1000, additionalGids: [5000]}'
  detached nonroot
  ! by_names || shows '.Groups == [0]' bare exec --process "$PROCESS" "$ID"
  shows 'nonroot(1000; 1000) and (.Groups - [5000] == [])' nonroot exec --process "$PROCESS" "$ID"
}

@test "A3: additional groups stay where there is no group file, and none can be made" {
  rm "$ROOTFS/etc/group"
  config '.root.readonly = true | .process.user = {uid: 1000, gid: 1000, additionalGids: [5000]}'
  nonroot_shows 'nonroot(1000; 1000) and .Groups == [5000]'
  process '.user = {uid: 1000, gid: 1000, additionalGids: [5000]}'
  detached nonroot
  shows 'nonroot(1000; 1000) and .Groups == [5000]' nonroot exec --process "$PROCESS" "$ID"
}

@test "A3: the caller's own groups, where the user namespace that is joined takes none" {
  # Whoever makes a user namespace may bar groups from it before its maps are written.
  unshare --user sleep 120 3>&- &
  HOLDER=$!
  until [[ $(readlink "/proc/$HOLDER/ns/user") != "$(readlink /proc/self/ns/user)" ]]; do sleep 0.01; done
  echo deny >"/proc/$HOLDER/setgroups"
  echo '0 100000 65536' >"/proc/$HOLDER/uid_map"
  echo '0 100000 65536' >"/proc/$HOLDER/gid_map"
  mapped
  config --arg n "/proc/$HOLDER/ns/user" '.linux.namespaces |= map(if .type == "user" then .path = $n else . end)'
  # runc before 1.2 has to be told the maps, later ones take none beside a path.
  [[ $(bare --version) == "runc version 1."[01].* ]] || config 'del(.linux.uidMappings, .linux.gidMappings)'
  runs probe pause
  local caller=(setpriv --groups '0,6')
  succeeds "${caller[@]}" "${BARE[@]}" run --detach "$ID-bare"
  status_shows '.Groups == [0, 6]' "$ID-bare"
  succeeds "${caller[@]}" "${NONROOT[@]}" run --detach "$ID"
  status_shows '(.Uid | all(. == 165532)) and .Groups == []' "$ID"

  process '.args = ["probe"] | del(.user.additionalGids)'
  shows '.Groups | length == 2' "${caller[@]}" "${BARE[@]}" exec --process "$PROCESS" "$ID"
  shows nonroot "${caller[@]}" "${NONROOT[@]}" exec --process "$PROCESS" "$ID"
}

# modem gives the container a serial line of the host's group dialout, as docker run --device /dev/ttyUSB0 does. The host's zero
# device stands for one.
modem() {
  config --argjson gid "${1:-20}" '.process.user = {uid: 1004, gid: 1004, additionalGids: [$gid]}
    | .linux.devices = [{path: "/dev/ttyUSB0", type: "c", major: 1, minor: 5, fileMode: 432, uid: 0, gid: $gid}]
    | .linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 5, access: "rwm"}]'
  runs sh -c 'head -c 1 /dev/ttyUSB0 | wc -c'
}

@test "a group that was asked for along with a device that it owns stays, in exec, too" {
  modem
  says bare run "$ID"
  [[ $OUT == 1 ]]
  succeeds nonroot run "$ID"
  [[ $OUT == 1 ]]
  fresh
  modem
  runs probe
  nonroot_shows 'nonroot(1004; 1004) and .Groups == [20]'
  fresh
  modem
  detached nonroot
  run ! grep -q 'is dropped' nonroot-runc.json
  process '.user = {uid: 1004, gid: 1004, additionalGids: [20]} | .args = ["sh", "-c", "head -c 1 /dev/ttyUSB0 | wc -c"]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == 1 ]]
}

@test "A3: a privileged group does not stay for a device, nor any group for a disk or for no device" {
  modem 6
  says bare run "$ID"
  [[ $OUT == 1 ]]
  runs probe
  nonroot_shows 'nonroot(1004; 1004) and .Groups == []'
  fresh
  # The number of a SCSI disk's generic device.
  modem
  config '.linux.devices[0].major = 21 | .linux.devices[0].minor = 0'
  runs probe
  nonroot_shows 'nonroot(1004; 1004) and .Groups == []'
  fresh
  modem
  config 'del(.linux.devices)'
  runs probe
  nonroot_shows 'nonroot(1004; 1004) and .Groups == []'
}

@test "a group that is dropped is named, with the line that keeps it: at creation, in explain and in learn" {
  config '.process.user = {uid: 1004, gid: 1004, additionalGids: [1004, 6]}'
  mkdir "$BATS_TEST_TMPDIR/team"
  chgrp 6 "$BATS_TEST_TMPDIR/team"
  chmod 770 "$BATS_TEST_TMPDIR/team"
  reachable
  config --arg s "$BATS_TEST_TMPDIR/team" '.mounts += [{destination: "/srv/team", type: "bind", source: $s, options: ["bind"]}]'
  runs touch /srv/team/file
  cp config.json "$BATS_TEST_TMPDIR/asked.json"
  local note='group 6 ("disk") is dropped: it is privileged on the host; hint: identity.allowed_gids = [6] keeps it'
  succeeds "$REPO/bin/nonroot-ctl" explain --policy "$POLICY" "$BUNDLE"
  contains "${note%%; hint*}"
  printf '#!/bin/sh\nexec %s "$@"\n' "${NONROOT[*]@Q}" >"$BATS_TEST_TMPDIR/runtime"
  chmod 755 "$BATS_TEST_TMPDIR/runtime"
  succeeds "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" --runtime "$BATS_TEST_TMPDIR/runtime" "$BUNDLE"
  contains "${note%%; hint*}"
  contains '  identity.allowed_gids = [6]'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]]
  cp "$BATS_TEST_TMPDIR/asked.json" config.json
  created nonroot "$ID-2"
  jq -e --arg n "$note" '.notes | index($n)' nonroot-runc.json
  policy <<<'identity.allowed_gids = [6]'
  cp "$BATS_TEST_TMPDIR/asked.json" config.json
  succeeds nonroot run "$ID"
}
