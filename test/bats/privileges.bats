#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no new privileges (SECURITY.md A10, A11, F13).

load helpers

@test "A10: a setuid- and setgid-root entrypoint" {
  chmod 6755 "$ROOTFS/bin/probe"
  config '.process.user = {uid: 1000, gid: 1000}'
  bare_shows '.Uid == [1000,0,0,0] and .Gid == [1000,0,0,0] and .CapEff == .CapBnd'
  nonroot_shows 'nonroot(1000; 1000)'
}

@test "A10: a setuid-root file that the container's shell runs" {
  install -m 4755 "$ROOTFS/bin/probe" "$ROOTFS/bin/suid"
  config '.process.user = {uid: 1000, gid: 1000}'
  runs sh -c 'exec suid'
  bare_shows '.Uid == [1000,0,0,0]'
  nonroot_shows 'nonroot(1000; 1000)'
}

@test "A10: a setuid-root file through exec, where an engine leaves noNewPrivileges out" {
  install -m 4755 "$ROOTFS/bin/probe" "$ROOTFS/bin/suid"
  config '.process.user = {uid: 1000, gid: 1000}'
  detached nonroot
  process '.user = {uid: 1000, gid: 1000} | .args = ["suid"] | del(.capabilities)'
  shows '.Uid == [1000,0,0,0]' bare exec --process "$PROCESS" "$ID"
  shows 'nonroot(1000; 1000)' nonroot exec --process "$PROCESS" "$ID"
}

# As docker cp does, and docker commit keeps: the daemon writes into the container's files as root.
@test "F13: a setuid-root file that is copied into a running container" {
  config '.process.user = {uid: 1000, gid: 1000}'
  detached nonroot
  install -m 6755 "$ROOTFS/bin/probe" "/proc/$(pid "$ID")/root/tmp/copied"
  process '.user = {uid: 1000, gid: 1000} | .args = ["/tmp/copied"] | del(.capabilities)'
  shows '.Uid == [1000,0,0,0] and .Gid == [1000,0,0,0]' bare exec --process "$PROCESS" "$ID"
  shows 'nonroot(1000; 1000)' nonroot exec --process "$PROCESS" "$ID"
  # From the container's own processes, too: in the next container of these files.
  install -m 6755 "$ROOTFS/bin/probe" "$ROOTFS/bin/copied"
  fresh
  config '.process.user = {uid: 1000, gid: 1000}'
  runs sh -c 'exec copied'
  shows '.Uid == [1000,0,0,0]' bare run "$ID-2"
  shows 'nonroot(1000; 1000)' nonroot run "$ID-3"
}

# faked NAME... is a profile that answers success to these calls without making them.
faked() {
  config '.process.user = {uid: 1000, gid: 1000}
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW",
        syscalls: [{names: $ARGS.positional, action: "SCMP_ACT_ERRNO", errnoRet: 0}]}' --args -- "$@"
}

@test "A11: a seccomp profile that fakes the success of setuid" {
  faked setuid setgid setgroups setresuid setresgid setreuid setregid
  bare_shows 'root and gid(0)'
  nonroot_shows 'nonroot(1000; 1000)'
}

@test "A11: a seccomp profile that fakes the success of capset and prctl" {
  faked setuid setgid setgroups setresuid setresgid setreuid setregid capset prctl
  # Not through probe: its own prctl would be faked as well.
  runs grep -E '^(Uid|CapEff):' /proc/self/status
  says bare run "$ID"
  contains $'Uid:\t0\t0\t0\t0'
  detached nonroot
  status_shows 'nonroot(1000; 1000)' "$ID"
}
