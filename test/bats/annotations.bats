#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no trust in annotations (SECURITY.md B4, D6, D9, F5, F6).

load helpers

@test "F5: run.oci.keep_original_groups keeps the caller's groups" {
  config '.process.user = {uid: 1000, gid: 1000} | .annotations = {"run.oci.keep_original_groups": "1"}'
  ! only crun || shows '.Groups | index(6)' setpriv --groups 0,6 "${BARE[@]}" run "$ID"
  shows 'nonroot(1000; 1000) and .Groups == []' setpriv --groups 0,6 "${NONROOT[@]}" run "$ID"
}

@test "B4: run.oci.seccomp_bpf_data replaces the filter" {
  # One instruction: return SECCOMP_RET_ALLOW.
  config '.annotations = {"run.oci.seccomp_bpf_data": "BgAAAAAA/38="}
    | .linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["unshare"], action: "SCMP_ACT_ERRNO"}]}'
  runs probe userns
  ! only crun || bare_shows '.unshare == "ok"'
  nonroot_shows '.unshare == "EPERM" and .clone == "EPERM"'
}

@test "F6: another handler, and properties of the systemd unit" {
  local before
  config '.annotations = {"run.oci.handler": "krun", "run.oci.systemd.force_cgroup_v1": "/x", "run.oci.systemd.subgroup": "x"}'
  nonroot_shows nonroot
  jq -e '.annotations == {}' config.json || explain 'expected none of them'
  # Debian's crun has no handlers, and systemd runs none of the containers here: what they would be told is looked at.
  fresh
  before='"org.systemd.property.TimeoutStopUSec": "uint64 1", "org.systemd.property.DefaultDependencies": "true"'
  config ".annotations = {$before, \"org.systemd.property.User\": \"root\", \"org.systemd.property.DevicePolicy\": \"auto\",
    \"org.systemd.property.Delegate\": \"true\"}"
  nonroot_shows nonroot
  jq -e ".annotations == {$before}" config.json || explain 'expected the harmless ones alone'
}

@test "those that steer a runtime are dropped, the others stay" {
  config '.annotations = {"run.oci.handler": "krun", "run.oci.hooks.stdout": "/x", "org.criu.config": "/x", "bundle": "/x",
    "a=b": "c", "org.example.kept": "yes"}'
  nonroot_shows nonroot
  jq -e '.annotations | has("org.example.kept") and
    (keys | all(startswith("run.oci.") or startswith("org.criu.") or . == "bundle" or contains("=") | not))' config.json
}

@test "no annotation exempts" {
  config '.annotations = {"io.nonroot-runc.mode": "off", "io.nonroot-runc.exempt": "true", "nonroot.exempt": "true",
    "io.kubernetes.cri.container-type": "sandbox"}'
  nonroot_shows nonroot
}

@test "a request by annotation needs the policy, and never root" {
  config '.annotations = {"io.nonroot-runc.user": "0:0"}'
  never_root nonroot run "$ID"
  fresh
  config '.annotations = {"io.nonroot-runc.user": "1234:1234"}'
  never_root nonroot run "$ID"
}
