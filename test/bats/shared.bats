#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What containers of one uid share (SECURITY.md C6): what the kernel counts by uid, and each other's processes.

load helpers

# takes WHAT ID: a container that takes all it gets; $TAKEN is how much that was.
takes() {
  rm -f "$ROOTFS/tmp/$2"
  runs probe take "$1" "/tmp/$2"
  succeeds nonroot create "$2"
  succeeds nonroot start "$2"
  await test -s "$ROOTFS/tmp/$2"
  TAKEN=$(jq .taken "$ROOTFS/tmp/$2")
}

# as N makes a container of the test's first or second uid, which nobody else has, with at most LIMIT processes of its uid.
as() { config --argjson uid "$((FIRST + $1))" --argjson limit "$LIMIT" '.process.user = {uid: $uid, gid: $uid} | .process.rlimits = [{type: "RLIMIT_NPROC", hard: $limit, soft: $limit}]'; }

@test "C6: what one container has taken, another of its uid does not get, and one of another uid does" {
  local what first second other id LIMIT FIRST=$((300000 + RANDOM * 2))
  chmod 1777 "$ROOTFS/tmp"
  for what in inotify pipes keys processes; do
    # The others may have some more processes, as they need some to begin with.
    LIMIT=60
    fresh
    as 0
    takes "$what" "$ID-$what-1"
    LIMIT=80
    first=$TAKEN
    fresh
    as 0
    takes "$what" "$ID-$what-2"
    second=$TAKEN
    fresh
    as 1
    takes "$what" "$ID-$what-3"
    other=$TAKEN
    printf '# %s: the first container gets %s, the second of its uid %s, one of another uid %s\n' "$what" "$first" "$second" "$other" >&3
    [[ $first -gt 10 && $second -lt $((first / 2)) && $other -gt $((first / 2)) ]] || explain "expected one quota of $what a uid"
    for id in "$ID-$what-1" "$ID-$what-2" "$ID-$what-3"; do bare delete --force "$id"; done
  done
}

@test "C6: in one process namespace, a container reads and ends another's processes of its uid, and of no other" {
  fresh
  runs probe pause
  config '.process.env += ["SECRET=of-the-first"]'
  succeeds nonroot create "$ID-1"
  succeeds nonroot start "$ID-1"
  fresh
  config --arg ns "/proc/$(pid "$ID-1")/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $ns else . end)'
  runs sh -c 'tr "\0" "\n" </proc/1/environ; ls -d /proc/1/root/bin; kill -0 1 && echo may-end'
  succeeds nonroot run "$ID-2"
  contains 'SECRET=of-the-first'
  contains '/proc/1/root/bin'
  contains 'may-end'
  config '.process.user = {uid: 70002, gid: 70002}'
  says nonroot run "$ID-3"
  lacks SECRET
  lacks '/proc/1/root/bin'
  lacks 'may-end'
}
