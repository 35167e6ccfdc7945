#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The kit's own test, on the bare runtimes alone: the attacks that the other files start from do work here, so that
# their failure through nonroot-runc means something.

load helpers

@test "kit: the bundle runs as root with Docker's capabilities" {
  bare_shows 'root and gid(0) and .Groups == [0] and .CapEff == "00000000a80425fb" and .NoNewPrivs == 0 and .Seccomp == 0'
}

@test "kit: config and runs edit config.json" {
  config '.process.user = {uid: 1000, gid: 1000}'
  runs id -u
  succeeds bare run "$ID"
  [[ $OUT == 1000 ]]
}

@test "kit: shows fails where the filter does" {
  run ! bare_shows 'uid(1)'
}

@test "kit: a setuid-root file and a file capability give root" {
  chmod 4755 "$ROOTFS/bin/probe"
  config '.process.user = {uid: 1000, gid: 1000} | .process.capabilities |= {bounding}'
  bare_shows '.Uid == [1000,0,0,0] and .CapEff == .CapBnd'
  chmod 755 "$ROOTFS/bin/probe"
  setcap cap_setuid+ep "$ROOTFS/bin/probe"
  runs probe setuid0
  bare_shows '.setuid == "ok" and .setgid == "EPERM"'
}

@test "kit: each way into a user namespace is open" {
  runs probe userns
  bare_shows '.unshare == "ok" and .clone == "ok" and .clone3 == "ok" and .setns == "EINVAL"'
}

@test "kit: a detached container's status is read on the host" {
  detached bare
  status_shows 'root and .CapEff == "00000000a80425fb"' "$ID"
}

@test "kit: exec with a process file" {
  detached bare
  process '.user = {uid: 1234, gid: 0} | .noNewPrivileges = true'
  shows 'uid(1234) and gid(0) and .NoNewPrivs == 1' bare exec --process "$PROCESS" "$ID"
}

@test "kit: refused wants a message and no container" {
  config '.process.args = ["/no/such/file"]'
  refused '[Nn]o such file' bare run "$ID"
  runs probe
  run ! refused '.' bare run "$ID"
}

@test "kit: a terminal" {
  config '.process.terminal = true'
  runs tty
  succeeds on_tty bare run "$ID"
  contains /dev/pts/0
}
