#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no capabilities (SECURITY.md A6-A9, A13).

load helpers

as_1000='.process.user = {uid: 1000, gid: 1000}'

@test "A6: ambient and inheritable capabilities survive execve" {
  config "$as_1000"' | .process.noNewPrivileges = true
    | .process.capabilities |= (.inheritable = .bounding | .ambient = .bounding)'
  bare_shows 'uid(1000) and .CapAmb == .CapBnd and .CapEff == .CapBnd and .CapInh == .CapBnd'
  nonroot_shows 'nonroot(1000; 1000)'
}

@test "A7: permitted capabilities and an entrypoint with cap_setuid+ep beat noNewPrivileges" {
  setcap cap_setuid+ep "$ROOTFS/bin/probe"
  config "$as_1000"' | .process.noNewPrivileges = true'
  runs probe setuid0
  bare_shows '.setuid == "ok"'
  nonroot_shows '[.[]] | all(. == "EPERM")'
}

@test "A7: the same for a program that the entrypoint runs" {
  cp "$ROOTFS/bin/probe" "$ROOTFS/bin/cap"
  setcap cap_setuid,cap_setgid+ep "$ROOTFS/bin/cap"
  config "$as_1000"
  runs sh -c 'exec cap setuid0'
  bare_shows '.setuid == "ok" and .setgid == "ok"'
  nonroot_shows '[.[]] | all(. == "EPERM")'
}

# lends: runc from 1.3 on leaves all capabilities to a process of which config.json says nothing.
lends() { only runc && [[ $(bare --version) != "runc version 1."[0-2].* ]]; }

@test "A8: capabilities left out, null, or an empty object" {
  local value
  for value in 'del(.process.capabilities)' '.process.capabilities = null' '.process.capabilities = {}'; do
    fresh
    config "$value"
    if ! lends || [[ $value == *'{}' ]]; then bare_shows 'root and .CapBnd == none'; else bare_shows 'root and .CapBnd != none and .CapPrm == .CapBnd'; fi
    nonroot_shows 'nonroot and .CapBnd == none'
    jq -e '.process.capabilities | [.bounding, .effective, .permitted, .inheritable, .ambient] | all(. == [])' config.json
  done
}

@test "A8: capabilities left out, and an entrypoint with cap_setuid+ep" {
  setcap cap_setuid+ep "$ROOTFS/bin/probe"
  config "$as_1000"' | .process.noNewPrivileges = true | del(.process.capabilities)'
  runs probe setuid0
  ! lends || bare_shows '.setuid == "ok"'
  says nonroot run "$ID"
  # Outside of the bounding set, it does not even start.
  [[ $STATUS != 0 && $OUT == '' && $ERR == *'not permitted'* ]] || jq -e '[.[]] | all(. == "EPERM")' <<<"$OUT" || explain 'expected no capability'
}

@test "A9: the bounding set stays as the engine set it" {
  bare_shows '.CapBnd == "00000000a80425fb"'
  nonroot_shows 'nonroot and .CapBnd == "00000000a80425fb"'
}

@test "A9: a policy that drops the bounding set" {
  policy <<<$'[process]\nbounding = "drop"'
  nonroot_shows 'nonroot and .CapBnd == none'
}

@test "A13: names that only crun knows" {
  config '.process.capabilities |= map_values(["cap_chown", "cap_kill", "CAP_SETUID"])'
  ! only crun || bare_shows '.CapEff == "00000000000000a1"'
  nonroot_shows nonroot
}
