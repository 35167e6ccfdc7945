#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A uid for each container, from a range; and ids of people, from lists (docs/policy.md, identity.range and users_file).

load helpers

setup() {
  setup_bundle
  mkdir -p /run/containerd
  mount -t tmpfs -o mode=711 tmpfs /run/containerd
  from "$STATE"
}
teardown() {
  end_containers
  umount /run/containerd
}

# from ROOT makes the calls those of another engine.
from() {
  mkdir -p "$1"
  keeps_state "$1"
}

# ranges [LINE...] makes a policy with a range.
ranges() {
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
identity.range = "200000-200999"
$(printf '%s\n' "$@")
TOML
}

# another makes the bundle one more, with files of its own.
another() {
  local was=$BUNDLE
  BUNDLE=$BATS_TEST_TMPDIR/bundle-$1
  ROOTFS=$BUNDLE/rootfs
  mkdir -m 700 "$BUNDLE"
  cp -a "$NONROOT_BATS_KIT" "$ROOTFS"
  cp "$was/config.json" "$BUNDLE/config.json"
  fresh
  cd "$BUNDLE" || return
}

# uid_of ID
uid_of() { proc_status "$1" | jq '.Uid[0]'; }

# of_pod NAMESPACE POD puts in what Kubernetes' engine says.
of_pod() {
  config --arg n "$1" --arg p "$2" '.annotations += {"io.kubernetes.cri.sandbox-namespace": $n, "io.kubernetes.cri.sandbox-name": $p}'
}

# spies makes the container look at the first process of another one, in whose pid namespace it is.
spies() {
  config --arg p "/proc/$(pid "$1")/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
  runs sh -c 'cat /proc/1/environ; kill -0 1 && echo killable; ls /proc/1/root/ >/dev/null && echo entered'
}

@test "C6: who shares a uid reads and ends what the other one runs; with a range, nobody does" {
  config '.process.env += ["SECRET=of-the-first"]'
  detached nonroot victim
  [[ $(uid_of victim) == 65532 ]]
  another spy
  spies victim
  succeeds nonroot run "$ID"
  contains SECRET=of-the-first
  contains killable

  ranges
  another second
  config '.process.env += ["SECRET=of-the-second"]'
  detached nonroot second-victim
  another second-spy
  spies second-victim
  says nonroot run "$ID-2"
  lacks SECRET
  lacks killable
  lacks entered
  [[ $ERR == *'Permission denied'* && $(uid_of second-victim) -ge 200000 ]] || explain 'expected to be kept out'
}

@test "A14, C6: a container that is refused takes no id" {
  ranges
  config '.process.cwd = "/proc/self"'
  refused 'proc' nonroot run c
  [[ ! -e $BATS_TEST_TMPDIR/ids ]]
  config '.process.cwd = "/"'
  runs sh -c 'id -u'
  nonroot run c >"$BATS_TEST_TMPDIR/uid"
  [[ $(ls "$BATS_TEST_TMPDIR/ids/uids") == *"$(<"$BATS_TEST_TMPDIR/uid")"* ]]
}

@test "C6: nobody chooses to be somebody of the range" {
  ranges
  detached nonroot victim
  local uid
  uid=$(uid_of victim)
  another spy
  spies victim
  config --argjson u "$uid" '.process.user = {uid: $u, gid: $u}'
  says nonroot run "$ID"
  lacks killable
  lacks entered
  process --argjson u "$uid" '.user = {uid: $u, gid: $u} | .args = ["probe"]'
  another third
  detached nonroot third
  shows "powerless and (.Uid[0] != $uid)" nonroot exec --process "$PROCESS" third
}

@test "an id of its own, as uid and gid, with a name and a home; exec has the same, also as root" {
  ranges
  reachable
  detached nonroot
  local uid
  uid=$(uid_of "$ID")
  ((uid >= 200000 && uid <= 200999))
  status_shows "uid($uid) and gid($uid) and powerless and .Groups == []" "$ID"
  process '.args = ["probe"]'
  shows "nonroot($uid; $uid)" nonroot exec --process "$PROCESS" "$ID"
  process '.args = ["sh", "-c", "id -un; touch \"$HOME/x\" && stat -c %u \"$HOME/x\""]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == nonroot$'\n'$uid ]] || explain 'expected a name and a home'
}

@test "the same id again, after its end, and in a new bundle; others have others" {
  ranges
  detached nonroot
  local uid
  uid=$(uid_of "$ID")
  another second
  detached nonroot other
  [[ $(uid_of other) != "$uid" ]]
  nonroot delete --force "$ID"
  another third
  detached nonroot
  [[ $(uid_of "$ID") == "$uid" ]]
}

@test "as many at once as the range has ids: each has its own, and one more is refused" {
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
identity.range = "300000-300007"
TOML
  local i pids=()
  for i in 0 1 2 3 4 5 6 7; do
    another "$i"
    runs probe pause
    nonroot create "c$i" </dev/null >/dev/null 2>"$BATS_TEST_TMPDIR/err-$i" 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || explain "$(cat "$BATS_TEST_TMPDIR"/err-*)"; done
  [[ $(for i in 0 1 2 3 4 5 6 7; do uid_of "c$i"; done | sort -u) == $(seq 300000 300007) ]]
  another more
  refused 'from 300000 to 300007 are in use.hint: widen the range' nonroot run more
  nonroot delete --force c3
  rm -r "$BATS_TEST_TMPDIR/bundle-3"
  shows 'nonroot(300003; 300003) or (.Uid[0] >= 300000 and .Uid[0] <= 300007)' nonroot run more
}

@test "the containers of a pod share one, another pod of the name elsewhere does not" {
  from /run/containerd/runc/k8s.io
  ranges
  of_pod team web-0
  detached nonroot sandbox
  another app
  of_pod team web-0
  detached nonroot app
  another other
  of_pod team-b web-0
  detached nonroot other
  [[ $(uid_of sandbox) == "$(uid_of app)" && $(uid_of other) != "$(uid_of app)" ]]
}

@test "a block for each namespace bounds what its pods may ask for" {
  from /run/containerd/runc/k8s.io
  ranges 'identity.block = 100' 'identity.share = "namespace"'
  of_pod a x
  detached nonroot
  local uid first
  uid=$(uid_of "$ID")
  first=$((uid / 100 * 100))
  another within
  of_pod a y
  config --argjson u "$((first + 7))" '.process.user = {uid: $u, gid: $u}'
  shows "nonroot($((first + 7)); $((first + 7)))" nonroot run within
  another beyond
  of_pod a y
  config --argjson u "$((first + 107))" '.process.user = {uid: $u, gid: $u}'
  shows "nonroot($uid; $uid)" nonroot run beyond
}

@test "audit takes no id, and says which one it would be" {
  ranges 'mode = "audit"'
  nonroot_shows root
  [[ ! -e $BATS_TEST_TMPDIR/ids ]]
  jq -e '.identity.uid >= 200000' nonroot-runc.json
}

@test "others can write the directory of ids: refused" {
  ranges
  mkdir -m 777 "$BATS_TEST_TMPDIR/ids"
  refused 'can be written by others' nonroot run "$ID"
}

# people writes the administrator's lists.
people() {
  printf '%s\n' 'root:x:0:0::/root:/bin/sh' 'alice:x:20001:20000:Alice:/shared/alice:/bin/bash' >"$BATS_TEST_TMPDIR/users"
  printf '%s\n' 'people:x:20000:' 'project:x:20500:alice,bob' 'disk:x:6:alice' >"$BATS_TEST_TMPDIR/groups"
  policy <<TOML
identity.users_file = "$BATS_TEST_TMPDIR/users"
identity.groups_file = "$BATS_TEST_TMPDIR/groups"
$(printf '%s\n' "$@")
TOML
}

@test "a namespace of the list is who the list says, with its groups, its name and its home on shared storage" {
  from /run/containerd/runc/k8s.io
  people
  of_pod alice notebook
  mkdir "$BATS_TEST_TMPDIR/shared"
  chown 20001:20000 "$BATS_TEST_TMPDIR/shared"
  reachable
  config --arg s "$BATS_TEST_TMPDIR/shared" '.mounts += [{destination: "/shared/alice", type: "bind", source: $s, options: ["bind", "rw"]}]'
  runs sh -c 'id; echo "$HOME $USER"; echo mine >"$HOME/file"'
  succeeds nonroot run "$ID"
  contains 'uid=20001(alice) gid=20000'
  contains 20500
  lacks disk
  contains '/shared/alice alice'
  [[ $(stat -c %u:%g "$BATS_TEST_TMPDIR/shared/file") == 20001:20000 ]]
}

@test "a listed namespace: what the image or an exec asks for does not count" {
  from /run/containerd/runc/k8s.io
  people
  of_pod alice notebook
  config '.process.user = {uid: 1000, gid: 1000}'
  detached nonroot
  status_shows 'uid(20001) and gid(20000) and powerless and .Groups == [20500]' "$ID"
  for user in 0 1000; do
    process --argjson u "$user" '.args = ["probe"] | .user = {uid: $u, gid: $u}'
    shows 'nonroot(20001; 20000) and .Groups == [20500]' nonroot exec --process "$PROCESS" "$ID"
  done
}

@test "somebody else's namespace, root's, and a list that others can write" {
  from /run/containerd/runc/k8s.io
  people
  of_pod mallory x
  nonroot_shows nonroot
  fresh
  of_pod root x
  refused 'as uid 0' nonroot run "$ID"
  fresh
  of_pod alice x
  chmod 666 "$BATS_TEST_TMPDIR/users"
  refused 'users' nonroot run "$ID"
}

@test "a person is requested by name, where allowed_uids has it" {
  people 'identity.requests = ["environment"]'
  config '.process.env += ["NONROOT_USER=alice"]'
  refused 'alice.*uid 20001.*does not allow' nonroot run "$ID"
  people 'identity.requests = ["environment"]' 'identity.allowed_uids = ["20000-20999"]'
  nonroot_shows 'nonroot(20001; 20000) and .Groups == [20500]'
}

@test "the group that owns a device on the host" {
  mount -t tmpfs -o mode=755 tmpfs /dev/shm
  mknod -m 660 /dev/shm/card0 c 1 7
  chgrp 4242 /dev/shm/card0
  config '.linux.devices = [{path: "/dev/shm/card0", type: "c", major: 1, minor: 7, fileMode: 432, uid: 0, gid: 4242}]
    | .linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 7, access: "rw"}]
    | .mounts |= map(select(.destination != "/dev/shm"))'
  runs sh -c 'id -G; cat </dev/shm/card0 | head -c 1 | wc -c'
  says nonroot run "$ID"
  [[ $ERR == *'ermission denied'* ]] || explain 'expected the device to be closed'
  fresh
  policy <<<'identity.device_groups = ["/dev/shm/card*"]'
  config '.linux.devices = [{path: "/dev/shm/card0", type: "c", major: 1, minor: 7, fileMode: 432, uid: 0, gid: 4242}]
    | .linux.resources.devices += [{allow: true, type: "c", major: 1, minor: 7, access: "rw"}]
    | .mounts |= map(select(.destination != "/dev/shm"))'
  runs sh -c 'id -G; cat </dev/shm/card0 | head -c 1 | wc -c'
  succeeds nonroot run "$ID"
  contains '65532 4242'
  contains 1
  umount /dev/shm
}

@test "refuse names the image's user" {
  policy <<<'mode = "refuse"'
  printf 'redis:x:4999:4998::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  printf 'redis:x:4998:\n' >>"$ROOTFS/etc/group"
  refused 'built for the user .*redis.* \(uid 4999\).hint: set USER redis in the image' nonroot run "$ID"
}

# example NAME makes one of docs/policies the policy, with its files in the test's own directory.
example() {
  {
    printf 'state = "%s/ids"\n' "$BATS_TEST_TMPDIR"
    sed "s,/var/log/,$BATS_TEST_TMPDIR/," "$REPO/docs/policies/$1.toml"
  } | policy
}

@test "the example policies hold" {
  local name
  for name in workstation gpu-server kubernetes; do
    succeeds "$REPO/bin/nonroot-ctl" policy test "$REPO/docs/policies/${name}_test.toml"
    contains 'ok '
  done
  example workstation
  nonroot_shows nonroot
  example gpu-server
  another gpu
  nonroot_shows '.Uid[0] >= 200000 and .Uid[0] <= 265535 and powerless and .CapBnd == none'
  from /run/containerd/runc/k8s.io
  example kubernetes
  another pod
  of_pod team-a web-0
  nonroot_shows '.Uid[0] >= 1000000 and .Uid[0] <= 1999999 and powerless'
  another agent
  of_pod kube-system kube-proxy
  shows root nonroot run agent
  [[ $(wc -l <"$BATS_TEST_TMPDIR/nonroot-runc.log") == 3 ]]
}
