#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no user namespaces inside (SECURITY.md B1-B3, B5).

load helpers

# On a kernel without the x32 table, its entry says ENOSYS by itself.
closed='.unshare == "EPERM" and .clone == "EPERM" and .clone3 == "ENOSYS" and .setns == "EPERM"
  and (.["unshare-i386"] // "EPERM") == "EPERM" and ((.["unshare-x32"] // "EPERM") | . == "EPERM" or . == "ENOSYS")'

@test "B1: no seccomp at all" {
  runs probe userns
  config '.process.user = {uid: 1000, gid: 1000}'
  bare_shows '.unshare == "ok" and .clone == "ok" and .clone3 == "ok"'
  nonroot_shows "$closed"
}

@test "B1: through exec, by a process file of an engine" {
  detached nonroot
  process '.args = ["probe", "userns"]'
  shows "$closed" nonroot exec --process "$PROCESS" "$ID"
}

@test "B2: the profile that docker run --cap-add SYS_ADMIN gives" {
  config --slurpfile docker "$REPO/internal/spec/testdata/recorded/docker-cap-add-sys-admin.config.json" \
    '.linux.seccomp = $docker[0].linux.seccomp'
  runs probe userns
  bare_shows '.unshare == "ok" and .clone == "ok"'
  nonroot_shows "$closed"
}

@test "B3: unconditional and conditional rules that allow, in any order" {
  local rules
  for rules in \
    '[{"names":["unshare","clone","setns","clone3"],"action":"SCMP_ACT_ALLOW"}]' \
    '[{"names":["unshare"],"action":"SCMP_ACT_ALLOW","args":[{"index":0,"value":268435456,"op":"SCMP_CMP_EQ"}]},{"names":["clone"],"action":"SCMP_ACT_ALLOW"}]' \
    '[{"names":["unshare"],"action":"SCMP_ACT_LOG"},{"names":["clone","setns"],"action":"SCMP_ACT_ALLOW"}]'; do
    fresh
    config --argjson rules "$rules" '.linux.seccomp = {defaultAction: "SCMP_ACT_ERRNO", defaultErrnoRet: 13,
      architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"],
      syscalls: ([$docker[0].linux.seccomp.syscalls[] | .names -= ["unshare", "clone", "clone3", "setns"] | select(.names != [])] + $rules)}' \
      --slurpfile docker "$REPO/internal/spec/testdata/recorded/docker-plain.config.json"
    runs probe userns
    bare_shows '.unshare == "ok"'
    nonroot_shows '.unshare == "EPERM" and .clone == "EPERM" and (.clone3 == "ENOSYS" or .clone3 == "EACCES") and .setns != "EINVAL"'
  done
}

@test "Docker's own profile stays as narrow as it was" {
  config --slurpfile docker "$REPO/internal/spec/testdata/recorded/docker-plain.config.json" \
    '.linux.seccomp = $docker[0].linux.seccomp'
  runs sh -c 'unshare -m true || echo denied; date -s 2000-01-01 2>&1 || echo denied; probe userns'
  says nonroot run "$ID"
  contains denied
  jq -e "$closed" <<<"${OUT##*$'\n'}"
}

@test "a policy that allows them" {
  policy <<<$'[process]\nuser_namespaces = "allow"'
  runs probe userns
  nonroot_shows '.unshare == "ok" and .clone == "ok"'
}

@test "B5: a listener that carries out system calls" {
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: "/run/listener.sock",
    syscalls: [{names: ["setuid"], action: "SCMP_ACT_NOTIFY"}]}'
  refused 'NOTIFY|listener' nonroot run "$ID"
}
