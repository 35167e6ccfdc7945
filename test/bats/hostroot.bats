#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: and never 0 on the host (SECURITY.md B7-B12).

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

@test "B7: an exec as whom the map sends to the host's root" {
  maps uid
  config '.linux.gidMappings = [{containerID: 0, hostID: 100000, size: 1000}, {containerID: 1000, hostID: 0, size: 1},
    {containerID: 1001, hostID: 101001, size: 64535}] | .process.user = {uid: 0, gid: 0}'
  # The container itself is nobody's root, by the fixed identity; so is an exec that asks for the container's root.
  runs probe pause
  succeeds nonroot create "$ID"
  succeeds nonroot start "$ID"
  status_shows '(.Uid | all(. == 165532)) and powerless' "$ID"
  process '.user = {uid: 1000, gid: 1001} | .args = ["sh", "-c", "echo >/tmp/theirs"]'
  chmod 777 "$ROOTFS/tmp"
  succeeds bare exec --process "$PROCESS" "$ID"
  [[ $(stat -c %u "$ROOTFS/tmp/theirs") == 0 ]] || explain "expected a file of the host's root"
  rm "$ROOTFS/tmp/theirs"
  says nonroot exec --process "$PROCESS" "$ID"
  [[ $STATUS != 0 && $ERR == *"host's root"* && ! -e $ROOTFS/tmp/theirs ]] || explain 'expected a refusal'
  process '.user = {uid: 1001, gid: 1000} | .args = ["sh", "-c", "echo >/tmp/theirs"]'
  says nonroot exec --process "$PROCESS" "$ID"
  [[ $STATUS != 0 || $(stat -c %g "$ROOTFS/tmp/theirs") != 0 ]] || explain "expected no file of the host's group 0"
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
  local disk=$BATS_TEST_TMPDIR/disk
  mkdir "$disk"
  printf "root's own\n" >"$disk/secret"
  chmod 600 "$disk/secret"
  chmod 777 "$disk"
  reachable
  config --arg disk "$disk" '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}
    | .mounts += [{destination: "/srv", type: "bind", source: $disk, options: ["bind", "idmap=uids=0-1000-1;gids=0-1000-1"]}]'
  runs sh -c 'cat /srv/secret; cp /bin/probe /srv/left; chmod 4755 /srv/left'
  if only crun; then
    succeeds bare run "$ID"
    contains "root's own"
    [[ $(stat -c '%u %a' "$disk/left") == '0 4755' ]] || explain 'expected a setuid file of root on the host'
    rm "$disk/left"
  fi
  refused idmap nonroot run "$ID"
  fresh
  config --arg disk "$disk" '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}
    | .mounts += [{destination: "/srv", type: "bind", source: $disk, options: ["bind"],
    uidMappings: [{containerID: 0, hostID: 1000, size: 1}], gidMappings: [{containerID: 0, hostID: 1000, size: 1}]}]'
  runs sh -c 'cat /srv/secret; cp /bin/probe /srv/left; chmod 4755 /srv/left'
  # runc does so from 1.2 on; 1.1 does not know them.
  if only crun || ! runc --version | grep -q 'version 1\.1\.'; then
    succeeds bare run "$ID"
    contains "root's own"
    [[ $(stat -c '%u %a' "$disk/left") == '0 4755' ]] || explain 'expected a setuid file of root on the host'
    rm "$disk/left"
  fi
  refused 'mount' nonroot run "$ID"
  [[ ! -e $disk/left ]]
}

# apart COMMAND... runs it with mounts that stand for the host's, and says whether mounts of the container are left there.
apart() {
  unshare --mount --propagation private bash -c '"$@"
    while read -r line; do [[ $line != *" $0/"* ]] || echo left; done </proc/self/mountinfo' "$ROOTFS" "$@"
}

@test "B10: a mount option that gives the container the kernel's own files, or those of a disk without owners" {
  # In a file system of the kernel's that is one for the whole host, whose mode is put back.
  config '.mounts += [{destination: "/srv", type: "debugfs", source: "debugfs", options: ["ro,uid=1000", "mode=700"]}] | .process.user = {uid: 1000, gid: 1000}'
  runs stat -c '%u %a' /srv
  succeeds bare run "$ID"
  mount -t debugfs -o uid=0,mode=700 debugfs "$ROOTFS/srv"
  umount "$ROOTFS/srv"
  [[ $OUT == '1000 700' ]] || explain 'expected that root is 1000 there'
  refused '"uid=1000", which makes root.s files on a file system of the type "debugfs"' nonroot run "$ID"
  config '.mounts[-1] |= (.type = "vfat" | .source = "/dev/none" | .options = ["umask=0"])'
  refused '"umask=0", which makes root.s files on a file system of the type "vfat"' nonroot run "$ID"
  # Its own, and a directory of the host's, which such an option means nothing to.
  config '.mounts[-1] |= (.type = "tmpfs" | .source = "tmpfs" | .options = ["uid=1000", "mode=700"])'
  succeeds nonroot run "$ID"
  [[ $OUT == '1000 '* ]] || explain 'expected its own tmpfs'
}

@test "B11: no mount namespace" {
  config '.linux.namespaces |= map(select(.type != "mount")) | del(.linux.maskedPaths, .linux.readonlyPaths)'
  runs true
  succeeds apart "${BARE[@]}" run "$ID"
  contains left
  says apart "${NONROOT[@]}" run "$ID"
  [[ $ERR == *'mount namespace'* && $OUT == '' ]] || explain 'expected a refusal'
  refused 'mount namespace' nonroot run "$ID"
}

@test "B12: somebody else's mount namespace" {
  local theirs
  unshare --mount --propagation private sleep 1000 3>&- &
  theirs=$!
  await elsewhere "$theirs" mnt
  # Joined, its root is exchanged for the container's.
  [[ -d /proc/$theirs/root/var/lib/dpkg ]]
  config --arg p "/proc/$theirs/ns/mnt" '.linux.namespaces |= map(if .type == "mount" then .path = $p else . end)
    | del(.linux.maskedPaths, .linux.readonlyPaths)'
  runs probe pause
  refused 'mount namespace' nonroot run "$ID"
  [[ -d /proc/$theirs/root/var/lib/dpkg ]]
  succeeds bare create "$ID"
  [[ ! -d /proc/$theirs/root/var/lib/dpkg && -e /proc/$theirs/root/bin/probe ]] || explain "expected the container's files in place of the host's"
}

@test "C9: a working directory below /proc" {
  config '.process.cwd = "/proc/self/fd/7"'
  refused 'working directory' nonroot run "$ID"
}

@test "C9: a working directory that links lead below a /proc: of the image, of a volume, of the runtime; or the host's /proc" {
  local cwd volume=$BATS_TEST_TMPDIR/volume
  mkdir "$volume"
  ln -s /proc/self "$volume/abs"
  ln -s ../../proc/self "$volume/rel"
  ln -s /proc/self "$ROOTFS/abs"
  ln -s srv/v/../../../proc "$ROOTFS/winds"
  ln -s abs "$ROOTFS/again"
  mkdir "$BATS_TEST_TMPDIR/lower"
  for cwd in /abs /again/attr /winds/self /srv/v/abs /srv/v/rel /srv/host/self /srv/v/./../../proc/self /dev/fd/.. /srv/o/abs /srv/o/rel; do
    fresh
    config --arg cwd "$cwd" --arg v "$volume" --arg l "$BATS_TEST_TMPDIR/lower" '.process.cwd = $cwd
      | .mounts += [{destination: "/srv/v", type: "bind", source: $v, options: ["rbind"]},
          {destination: "/srv/o", type: "overlay", source: "overlay", options: ["lowerdir=\($l):\($v)"]},
          {destination: "/srv/host", type: "bind", source: "/proc", options: ["rbind"]}]'
    runs sh -c 'stat -f -c %T .'
    # Newer runtimes refuse some of these themselves.
    says bare run "$ID"
    [[ $STATUS != 0 || $OUT == proc ]] || explain "expected that the bare runtime gets to /proc by $cwd"
    [[ $STATUS == 0 || $cwd != /abs ]] || explain "expected that the bare runtime gets to /proc by $cwd"
    refused 'working directory' nonroot run "$ID" || explain "with $cwd"
  done
}

@test "C9: a working directory by way of other links works" {
  mkdir -p "$ROOTFS/opt/app/1" "$BATS_TEST_TMPDIR/volume/2"
  ln -s 1 "$ROOTFS/opt/app/current"
  ln -s 2 "$BATS_TEST_TMPDIR/volume/current"
  config --arg v "$BATS_TEST_TMPDIR/volume" '.mounts += [{destination: "/srv/v", type: "bind", source: $v, options: ["rbind"]}]'
  reachable
  config '.process.cwd = "/opt/app/current"'
  nonroot_shows nonroot
  config '.process.cwd = "/srv/v/current"'
  nonroot_shows nonroot
  config '.process.cwd = "/new/directory"'
  nonroot_shows nonroot
}

# What a container's own links say can change at any time, so only the runtime can tell.
@test "C9: an exec whose working directory a link leads to the runtime's descriptors" {
  local n
  ln -s /proc/self/fd "$ROOTFS/work"
  ln -s /etc "$BATS_TEST_TMPDIR/marker"
  detached nonroot
  process '.cwd = "/proc/self/fd"'
  refused 'working directory' nonroot exec --process "$PROCESS" "$ID"
  for ((n = 3; n < 20; n++)); do
    process --arg cwd "/work/$n" '.cwd = $cwd | .args = ["sh", "-c", "ls -d ./ ../../../../../../..$1 ", "sh", $ARGS.positional[0]]' --args "$BATS_TEST_TMPDIR/marker"
    says nonroot exec --process "$PROCESS" "$ID"
    lacks marker
  done
}

# holds MAP starts a process in a user namespace of its own with these uid and gid maps; $HOLDER is its pid. It ends with
# the test's namespace of processes.
holds() {
  unshare --user --mount sleep 1000 3>&- &
  HOLDER=$!
  await elsewhere "$HOLDER"
  # In one write each, as the kernel wants it: printf makes one a line.
  cat >"/proc/$HOLDER/uid_map" <<<"$1"
  cat >"/proc/$HOLDER/gid_map" <<<"$1"
}
elsewhere() { [[ $(readlink "/proc/$1/ns/${2:-user}") != "$(readlink "/proc/self/ns/${2:-user}")" ]]; }

# joins makes the container join the holder's user namespace.
joins() { config --arg p "/proc/$HOLDER/ns/user" '.linux.namespaces |= map(if .type == "user" then .path = $p else . end)'; }

@test "B9: a user namespace joined by path, as a pod's containers join their sandbox's" {
  mapped
  holds '0 100000 65536'
  joins
  detached nonroot
  status_shows '(.Uid | all(. == 165532)) and (.Gid | all(. == 165532)) and powerless' "$ID"
  [[ $RUNTIME != runc ]] || jq -e '.config.uid_mappings[0] | .host_id // .HostID | . == 100000' "$STATE/$ID/state.json"
  [[ $(readlink "/proc/$(nonroot state "$ID" | jq .pid)/ns/user") == "$(readlink "/proc/$HOLDER/ns/user")" ]]
  process '.args = ["probe"]'
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
}

@test "B9: one that is joined by path and maps the container's 1000 to the host's root" {
  mapped
  holds $'0 100000 1000\n1000 0 1\n1001 101001 60000'
  joins
  config '.process.user = {uid: 1000, gid: 1000}'
  # What config.json says of the maps is a lie; runc 1.1 and crun do not mind, later ones take no maps beside a path.
  bare create "$ID" </dev/null >/dev/null 2>&1 || {
    config 'del(.linux.uidMappings, .linux.gidMappings)'
    detached bare
    config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}] | .linux.gidMappings = .linux.uidMappings'
  }
  status_shows root "$ID"
  refused 'uidMappings' nonroot run "$ID-2"
  config '.linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}, {containerID: 1000, hostID: 0, size: 1}, {containerID: 1001, hostID: 101001, size: 60000}]
    | .linux.gidMappings = .linux.uidMappings'
  refused "host's root" nonroot run "$ID-2"
}

# containerd 2 makes and pins a pod's user namespace before there is any process in it.
@test "B9: one in which nobody lives" {
  mapped
  holds '0 100000 65536'
  touch "$BATS_TEST_TMPDIR/ns"
  mount --bind "/proc/$HOLDER/ns/user" "$BATS_TEST_TMPDIR/ns"
  config --arg n "$BATS_TEST_TMPDIR/ns" '.linux.namespaces |= map(if .type == "user" then .path = $n else . end)'
  kill "$HOLDER"
  wait "$HOLDER" || true
  runs probe pause
  says nonroot create "$ID"
  umount --lazy "$BATS_TEST_TMPDIR/ns"
  [[ $STATUS == 0 ]] || explain 'expected a container'
  status_shows '(.Uid | all(. == 165532)) and powerless' "$ID"
  [[ $(readlink "/proc/$(nonroot state "$ID" | jq .pid)/ns/user") != "$(readlink /proc/self/ns/user)" ]]
}

@test "B9: a path that is not a user namespace" {
  mapped
  config '.linux.namespaces |= map(if .type == "user" then .path = "/proc/self/ns/net" else . end)'
  refused 'not a user namespace' nonroot run "$ID"
}

# rootless runs a command as an ordinary user who is root in a user namespace, as rootless engines are.
rootless() {
  chown -R 5001:5001 "$BATS_TEST_TMPDIR"
  holds $'0 5001 1\n1 200000 65536'
  nsenter --user --mount --target "$HOLDER" -- sh -c 'cd "$0" && exec "$@"' "$BUNDLE" "$@"
}

@test "B8: keep-id of a rootless engine: the container's 5001 is root in a user namespace, but not on the host" {
  config '.process.user = {uid: 5001, gid: 5001} | .linux.namespaces += [{type: "user"}] | del(.linux.resources)
    | .linux.uidMappings = [{containerID: 0, hostID: 1, size: 5001}, {containerID: 5001, hostID: 0, size: 1}, {containerID: 5002, hostID: 5002, size: 60000}]
    | .linux.gidMappings = .linux.uidMappings | .mounts |= map(select(.type != "sysfs" and .type != "cgroup"))'
  reachable
  shows 'nonroot(5001; 5001)' rootless "${NONROOT[@]}" run "$ID"
}

# own_network gives the container a network namespace: a new one, or that at a path.
own_network() { config --arg p "${1:-}" '.linux.namespaces |= map(select(.type != "network")) + [{type: "network"} + if $p == "" then {} else {path: $p} end]'; }
low_ports() { runs cat /proc/sys/net/ipv4/ip_unprivileged_port_start; }

@test "adapt.low_ports: a rootless engine's kernel takes no gid that is not mapped, and the container starts all the same" {
  own_network
  config 'del(.linux.resources) | .mounts |= map(select(.type != "cgroup"))'
  low_ports
  holds '0 0 65536'
  succeeds nsenter --user --mount --target "$HOLDER" -- sh -c 'cd "$0" && exec "$@"' "$BUNDLE" "${NONROOT[@]}" run "$ID"
  [[ $OUT == 0 ]] || explain 'expected ports from 0'
}

@test "adapt.low_ports: a network namespace that is another user namespace's can't be set up, and the container starts all the same" {
  mkdir "$BATS_TEST_TMPDIR/netns"
  touch "$BATS_TEST_TMPDIR/netns/cni-1"
  mapped
  own_network "$BATS_TEST_TMPDIR/netns/cni-1"
  config '.mounts |= map(select(.type != "sysfs"))' # the kernel wants the network to be the mounter's
  low_ports
  unshare --net="$BATS_TEST_TMPDIR/netns/cni-1" true
  succeeds bare run "$ID"
  [[ $OUT == 1024 ]]
  succeeds nonroot run "$ID"
  [[ $OUT == 1024 ]] || explain 'expected what was there'
  umount "$BATS_TEST_TMPDIR/netns/cni-1"
}

@test "adapt.low_ports: a pod's user namespace, to which its network belongs" {
  mkdir "$BATS_TEST_TMPDIR/netns"
  touch "$BATS_TEST_TMPDIR/netns/cni-1"
  mapped
  unshare --user --net --mount sleep 1000 3>&- &
  HOLDER=$!
  await elsewhere "$HOLDER" net
  cat >"/proc/$HOLDER/uid_map" <<<'0 100000 65536'
  cat >"/proc/$HOLDER/gid_map" <<<'0 100000 65536'
  mount --bind "/proc/$HOLDER/ns/net" "$BATS_TEST_TMPDIR/netns/cni-1"
  joins
  own_network "$BATS_TEST_TMPDIR/netns/cni-1"
  low_ports
  succeeds nonroot run "$ID"
  [[ $OUT == 0 ]] || explain 'expected ports from 0'
  umount "$BATS_TEST_TMPDIR/netns/cni-1"
}

@test "adapt.low_ports: a network that CRI-O has pinned, and none that only looks like one" {
  local pinned=$BATS_TEST_TMPDIR/netns/0b7ab3a6-5d1c-4c53-9d0c-3f2f0c1ad2e1
  mkdir "$BATS_TEST_TMPDIR/netns"
  touch "$pinned"
  unshare --net="$pinned" true
  own_network "$pinned"
  low_ports
  succeeds nonroot run "$ID"
  [[ $OUT == 1024 ]] || explain 'expected what was there, as nothing says that the engine is CRI-O'
  fresh
  config --arg rootfs "$ROOTFS" '.root.path = $rootfs'
  own_network "$pinned"
  low_ports
  mkdir -p "$BATS_TEST_TMPDIR/overlay-containers/$ID/userdata"
  mv "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/overlay-containers/$ID/userdata"
  succeeds nonroot run --bundle "$BATS_TEST_TMPDIR/overlay-containers/$ID/userdata" "$ID"
  [[ $OUT == 0 ]] || explain 'expected ports from 0'
  # What the pod has set itself stands in the config.json of its sandbox alone.
  nsenter --net="$pinned" sh -c 'echo 500 >/proc/sys/net/ipv4/ip_unprivileged_port_start; printf "7 8" >/proc/sys/net/ipv4/ping_group_range'
  fresh
  config --arg rootfs "$ROOTFS" '.root.path = $rootfs'
  own_network "$pinned"
  runs cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/net/ipv4/ping_group_range
  mv "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/overlay-containers/$ID/userdata"
  succeeds nonroot run --bundle "$BATS_TEST_TMPDIR/overlay-containers/$ID/userdata" "$ID"
  [[ $OUT == $'500\n7\t8' ]] || explain "expected the pod's own"
  umount "$pinned"
}

# shared_directory makes $SHARED, a directory of the host's in a mount that is shared, as all are under systemd: it has passwd, group and
# a program of the host's. The tests' own mount namespace is the host here.
shared_directory() {
  SHARED=$BATS_TEST_TMPDIR/shared/etc
  mkdir "$BATS_TEST_TMPDIR/shared"
  mount -t tmpfs -o mode=755 tmpfs "$BATS_TEST_TMPDIR/shared"
  mount --make-shared "$BATS_TEST_TMPDIR/shared"
  cp -a "$ROOTFS/etc" "$SHARED"
  echo "the host's" >"$SHARED/program"
  echo "the container's" >"$BATS_TEST_TMPDIR/program"
}
unshared() { umount --recursive "$BATS_TEST_TMPDIR/shared"; }

# shares PATH OPTIONS PROGRAM mounts the directory at a path, with these options (JSON), and a file of the user's at another.
shares() {
  fresh
  config --arg at "$1" --argjson options "$2" --arg program "$3" --arg source "$SHARED" --arg own "$BATS_TEST_TMPDIR/program" \
    '.linux.rootfsPropagation = "rshared" | .mounts += [{destination: $at, type: "bind", source: $source, options: $options}]
    | if $program == "" then . else .mounts += [{destination: $program, type: "bind", source: $own, options: ["bind", "rprivate"]}] end'
}

@test "B13: a mount within one that shares its mounts with the host: the host has it, too" {
  shared_directory
  ln -s srv "$ROOTFS/link"
  local options
  for options in '["rbind", "rshared"]' '["rbind"]' '["rbind", "private"]'; do
    shares /srv "$options" /link/program
    bare_shows root
    # The last one shares only what is mounted below, of which there is nothing here.
    [[ $options == *'"private"'* ]] || {
      [[ $(<"$SHARED/program") == "the container's" ]] || explain "expected the container's file on the host with $options"
      umount "$SHARED/program"
    }
    refused 'propagates to the host' nonroot run "$ID"
    [[ $(<"$SHARED/program") == "the host's" ]] || explain "expected nothing on the host with $options"
  done
  for options in '["rbind", "rslave"]' '["rbind", "rprivate"]' '["bind", "private"]'; do
    shares /srv "$options" /link/program
    nonroot_shows nonroot
    [[ $(<"$SHARED/program") == "the host's" ]] || explain "expected nothing on the host with $options"
  done
  # What the runtime mounts by itself.
  shares /srv '["rbind", "rshared"]' ''
  config '.linux.maskedPaths = ["/link/shadow"]'
  bare_shows root
  grep -qF " $SHARED/shadow " /proc/self/mountinfo || explain 'expected the mask on the host'
  umount "$SHARED/shadow"
  refused 'propagates to the host' nonroot run "$ID"
  # On its own, such a mount does no harm.
  shares /srv '["rbind", "rshared"]' ''
  nonroot_shows nonroot
  unshared
}

@test "B13: no copy of passwd and group where the host would have it, too" {
  shared_directory
  shares /etc '["rbind", "rshared"]' ''
  nonroot_shows 'nonroot(65532; 65532)'
  ! grep -F "$SHARED/" /proc/self/mountinfo || explain 'expected no mount on the host'
  jq -e '.notes | any(test("no copy of /etc/passwd: .* host"))' nonroot-runc.json >/dev/null || explain "expected a note: $(<nonroot-runc.json)"
  unshared
}

@test "adapt.low_ports: the host's network stays as it is, whatever it is called" {
  mkdir "$BATS_TEST_TMPDIR/netns"
  ln -s /proc/self/ns/net "$BATS_TEST_TMPDIR/netns/cni-1"
  own_network "$BATS_TEST_TMPDIR/netns/cni-1"
  runs true
  succeeds unshare --net -- sh -c '"$@" && cat /proc/sys/net/ipv4/ip_unprivileged_port_start' sh "${NONROOT[@]}" run "$ID"
  [[ $OUT == 1024 ]] || explain 'expected what was there'
}
