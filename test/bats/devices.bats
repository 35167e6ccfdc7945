#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The host's disks stay closed (SECURITY.md C1), whoever made the node: config.json, the image, or the host.

load helpers

teardown() {
  end_containers
  [[ -z ${DISK-} ]] || losetup --detach "$DISK"
}

# disk makes a disk of the host's, $DISK, with something on it.
disk() {
  dd of="$BATS_TEST_TMPDIR/disk" bs=1M count=1 conv=sync status=none <<<'the host has written this'
  DISK=$(losetup --find --show "$BATS_TEST_TMPDIR/disk")
  MAJOR=$((16#$(stat -c %t "$DISK"))) MINOR=$((16#$(stat -c %T "$DISK")))
  reads /dev/disk
}

# reads NODE makes the container read the disk.
reads() { runs head -c 25 "$1"; }

# node MEMBERS puts the disk among the container's devices, and lets them be opened.
node() {
  config --argjson major "$MAJOR" --argjson minor "$MINOR" ".linux.devices = [{path: \"/dev/disk\", type: \"b\", major: \$major, minor: \$minor, $1}]
    | .linux.resources.devices += [{allow: true, type: \"b\", major: \$major, minor: \$minor, access: \"rwm\"}]"
}

shows_disk() {
  succeeds "$@"
  contains 'the host has written this'
}

# closed COMMAND... : the container runs, and is told that it may not.
closed() {
  says "$@"
  [[ $STATUS != 0 && $OUT == '' && $ERR =~ 'Permission denied'|'Operation not permitted' ]] || explain "expected a closed disk of: $*"
}

@test "C1: a disk that belongs to the container's user, to its group, to everyone, or that says nothing of its mode" {
  local members
  disk
  for members in 'uid: 1000, gid: 0, fileMode: 384' 'uid: 0, gid: 2000, fileMode: 432' 'uid: 0, gid: 0, fileMode: 438' 'uid: 0' \
    'uid: 0, gid: 0, fileMode: 25014'; do
    fresh
    reads /dev/disk
    config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000]} | .process.capabilities = {} | .process.noNewPrivileges = true'
    node "$members"
    shows_disk bare run "$ID"
    closed nonroot run "$ID"
    jq -e '.linux.devices[0] | .uid == 0 and .gid == 0 and (.fileMode | . % 8 == 0)' config.json
  done
}

# What is closed by its mode must stay so for who comes later.
@test "C1: a disk that belongs to whoever an exec is" {
  disk
  node 'uid: 1234, gid: 0, fileMode: 384'
  config '.process.user = {uid: 1000, gid: 1000}'
  detached bare
  shows_disk bare exec --user 1234:1234 "$ID" head -c 25 /dev/disk
  detached nonroot "$ID-2"
  closed nonroot exec --user 1234:1234 "$ID-2" head -c 25 /dev/disk
}

@test "C1: a disk among the image's own files, in a container that may open every device" {
  local allow
  disk
  mknod --mode 666 "$ROOTFS/srv/disk" b "$MAJOR" "$MINOR"
  # Privileged; docker run --device-cgroup-rule 'b *:* rwm'; docker run --device; none at all, for which crun has no rule.
  for allow in '[{allow: true, access: "rwm"}]' '[{allow: false, access: "rwm"}, {allow: true, type: "b", access: "rwm"}]' \
    "[{allow: false, access: \"rwm\"}, {allow: true, type: \"b\", major: $MAJOR, minor: $MINOR, access: \"r\"}]" \
    "[{allow: true, type: \"a\", access: \"rwm\"}, {allow: true, type: \"b\", major: $MAJOR, access: \"rw\"}]"; do
    fresh
    reads /srv/disk
    config ".process.user = {uid: 1000, gid: 1000} | .process.capabilities = {} | .linux.resources.devices = $allow"
    shows_disk bare run "$ID"
    closed nonroot run "$ID"
    cp config.json "$BATS_TEST_TMPDIR/once"
    closed nonroot run "$ID"
    cmp config.json "$BATS_TEST_TMPDIR/once" || explain 'expected the same of rewriting twice'
  done
  fresh
  reads /srv/disk
  config '.process.user = {uid: 1000, gid: 1000} | del(.linux.resources)'
  ! only crun || shows_disk bare run "$ID"
  closed nonroot run "$ID"
}

@test "C1: a disk in a volume, or the host's /dev, in a container that may open every device" {
  disk
  mkdir "$BATS_TEST_TMPDIR/volume"
  mknod --mode 666 "$BATS_TEST_TMPDIR/volume/disk" b "$MAJOR" "$MINOR"
  config --arg v "$BATS_TEST_TMPDIR/volume" '.linux.resources.devices = [{allow: true, access: "rwm"}]
    | .mounts += [{destination: "/srv", type: "bind", source: $v, options: ["rbind"]}]'
  reads /srv/disk
  shows_disk bare run "$ID"
  closed nonroot run "$ID"
}

@test "C1: a device whose mode makes a disk of it" {
  disk
  # The bits of a mode for a block device, in one of the type c.
  node 'uid: 0, fileMode: 25014'
  config '.linux.devices[0].type = "c"'
  ! only crun || shows_disk bare run "$ID"
  refused 'fileMode' nonroot run "$ID"
}

# A cgroup has the kernel's list of what may be opened; who is in none of the container's is not bound by it.
@test "C1: a disk of the image, where crun makes no cgroup, or an exec leaves it" {
  only crun || return 0
  disk
  mknod -m 666 "$ROOTFS/disk" b "$MAJOR" "$MINOR"
  reads /disk
  shows_disk bare --cgroup-manager=disabled run "$ID"
  refused 'without a cgroup' nonroot --cgroup-manager=disabled run "$ID"
  closed nonroot run "$ID"
  fresh
  detached nonroot
  closed nonroot exec "$ID" head -c 25 /disk
  shows_disk bare exec --cgroup ../.. "$ID" head -c 25 /disk
  refused "out of the container's cgroup" nonroot exec --cgroup ../.. "$ID" head -c 25 /disk
}

@test "C1: a disk of the image, after new limits came with a list of devices that opens it" {
  only crun || return 0 # runc does not look at the list
  local limits='{"devices": [{"allow": true, "access": "rwm"}], "pids": {"limit": 77}}' file=$BATS_TEST_TMPDIR/limits.json
  disk
  mknod -m 666 "$ROOTFS/disk" b "$MAJOR" "$MINOR"
  echo "$limits" >"$file"
  detached nonroot
  reads_disk() { nonroot exec "$ID" head -c 25 /disk; }
  closed reads_disk
  succeeds bare update --resources "$file" "$ID"
  shows_disk reads_disk
  bare delete --force "$ID"
  fresh
  detached nonroot
  closed reads_disk
  # crun's own spellings, of which the id can't be told, are refused.
  local spelling
  for spelling in "--resources=$file" "--resources $file" "-r $file" "-r$file" "--res=$file" "--resour $file" "-resources $file"; do
    # shellcheck disable=SC2086 # a flag, and its value
    says nonroot update $spelling "$ID"
    closed reads_disk
  done
  says nonroot update "$ID" "-r$file"
  closed reads_disk
  # So are its abbreviations of flags in front of the command, by which it finds the container.
  local root
  for root in "--roo=$STATE" "--roo $STATE"; do
    # shellcheck disable=SC2086 # likewise
    says "$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" $root update "--resources=$file" "$ID"
    [[ $STATUS != 0 && $ERR == *'write --root'* ]] || explain 'expected a refusal'
    closed reads_disk
  done
  # The limits that it is about are set.
  succeeds nonroot update --resources "$file" "$ID"
  grep -qx 77 /sys/fs/cgroup/{pids/,}"$ID/pids.max" 2>/dev/null || explain 'expected the limit'
  from_stdin() { nonroot update --resources - "$ID" <<<"${limits/77/78}"; }
  from_stdin
  grep -qx 78 /sys/fs/cgroup/{pids/,}"$ID/pids.max" 2>/dev/null || explain 'expected the limit'
  closed reads_disk
}

@test "C1: types and rules that runtimes read differently" {
  disk
  node 'uid: 0'
  config '.linux.devices[0].type = "block"'
  ! only crun || shows_disk bare run "$ID"
  refused 'not b, c, u or p' nonroot run "$ID"
  fresh
  config '.linux.resources.devices += [{allow: true, type: "block", access: "rw"}]'
  refused 'not a, b or c' nonroot run "$ID"
  fresh
  config '.linux.resources.devices += [{allow: true, type: "c", access: "rw"}]'
  refused 'name the majors' nonroot run "$ID"
}

@test "C1: memory and raw disks as character devices belong to root" {
  # The kernel asks for CAP_SYS_RAWIO besides, or here has no such device: only the node is looked at.
  config '.linux.devices = [{path: "/dev/mem", type: "c", major: 1, minor: 1, uid: 1000, fileMode: 438},
      {path: "/dev/sg0", type: "c", major: 21, minor: 0, uid: 1000, gid: 1000, fileMode: 384},
      {path: "/dev/own", type: "c", major: 1, minor: 3, uid: 1000, gid: 1000, fileMode: 384}]
    | .process.user = {uid: 1000, gid: 1000}'
  runs stat -c '%n %u:%g %a' /dev/mem /dev/sg0 /dev/own
  succeeds bare run "$ID"
  contains $'/dev/mem 1000:0 666\n/dev/sg0 1000:1000 600\n/dev/own 1000:1000 600'
  succeeds nonroot run "$ID"
  contains $'/dev/mem 0:0 660\n/dev/sg0 0:0 600\n/dev/own 1000:1000 600'
}

@test "C1: the administrator allows a group that owns a disk" {
  policy <<<'identity.allowed_gids = [2000]'
  disk
  node 'uid: 0, gid: 2000, fileMode: 432'
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000]}'
  shows_disk nonroot run "$ID"
  # Who is not in it is not let in by another's group.
  fresh
  reads /dev/disk
  node 'uid: 0, gid: 2000, fileMode: 438'
  config '.process.user = {uid: 1000, gid: 1000}'
  closed nonroot run "$ID"
}

@test "other devices can be opened as before" {
  config '.linux.devices = [{path: "/dev/mine", type: "c", major: 1, minor: 5, uid: 0, gid: 0, fileMode: 438}]
    | .linux.resources.devices = [{allow: true, access: "rwm"}]'
  runs sh -c 'head -c 3 /dev/mine | wc -c && head -c 2 /dev/urandom | wc -c && echo >/dev/null'
  succeeds nonroot run "$ID"
  [[ $OUT == $'3\n2' ]]
}
