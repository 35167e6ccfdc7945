#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no user namespaces inside (SECURITY.md B1-B3, B5).

load helpers

# The two other tables of the same kernel, too. One that the kernel was built without says ENOSYS by itself; a filter that
# does not know it ends the process.
closed='.unshare == "EPERM" and .clone == "EPERM" and .clone3 == "ENOSYS" and .setns == "EPERM"
  and ([to_entries[] | select(.key | test("-(i386|x32)$"))] | all(.value == "EPERM" or .value == "ENOSYS"))
  and ([to_entries[] | select(.key | test("-i386$"))] | all(.value == (if .key == "clone3-i386" then "ENOSYS" else "EPERM" end)))'

@test "B1: no seccomp at all" {
  runs probe userns
  config '.process.user = {uid: 1000, gid: 1000}'
  bare_shows '.unshare == "ok" and .clone == "ok" and .clone3 == "ok" and (.["unshare-i386"] // "ok") == "ok"
    and (.["clone-i386"] // "ok") == "ok" and (.["clone3-i386"] // "ok") == "ok"'
  nonroot_shows "$closed"
}

@test "B1 B2 B3: the profile of each recorded container: unconfined, default and privileged ones of each engine" {
  local file was opened=0 count=0
  for file in "$REPO"/internal/spec/testdata/recorded/*.config.json; do
    fresh
    config --slurpfile engine "$file" '.process.user = {uid: 1000, gid: 1000} | .linux.seccomp = $engine[0].linux.seccomp'
    runs probe userns
    was=none
    # A profile can shut out what the probe itself needs, as it was recorded with more.
    says bare run "$ID"
    [[ $STATUS != 0 ]] || was=$(jq -r '[.[] | select(. == "ok")] | length' <<<"$OUT")
    [[ $was == 0 || $was == none ]] || opened=$((opened + 1))
    shows '[.[]] | all(. == "EPERM" or . == "ENOSYS" or . == "EACCES" or . == "killed") and length >= 4' nonroot run "$ID" || explain "with $file, before: $was"
    count=$((count + 1))
  done
  [[ $count -gt 30 && $opened -gt 5 ]] || explain "$count profiles, $opened of which let user namespaces be made"
}

@test "B1: through exec, by a process file of an engine" {
  detached nonroot
  process '.args = ["probe", "userns"]'
  shows "$closed" nonroot exec --process "$PROCESS" "$ID"
}

@test "B1: through exec, into a container from before the installation, which has no profile" {
  detached bare
  process '.user = {uid: 1000, gid: 1000} | .args = ["probe", "userns"]'
  shows '.unshare == "ok" and .clone == "ok" and .clone3 == "ok"' bare exec --process "$PROCESS" "$ID"
  # setns stays open: who is root nowhere owns no namespace to enter.
  shows '.unshare == "EPERM" and .clone == "EPERM" and .clone3 == "ENOSYS" and .setns != "ok"
    and ([to_entries[] | select(.key | test("^(unshare|clone)-"))] | all(.value == "EPERM"))
    and ([to_entries[] | select(.key | test("^clone3-"))] | all(.value == "ENOSYS"))' nonroot exec --process "$PROCESS" "$ID"
  process '.user = {uid: 1000, gid: 1000} | .args = ["sh", "-c", "probe & wait; test -d /proc/self && sh -c \"exit 7\""]'
  fails_with 7 nonroot exec --process "$PROCESS" "$ID"
  policy <<<$'[process]\nuser_namespaces = "allow"'
  process '.user = {uid: 1000, gid: 1000} | .args = ["probe", "userns"]'
  shows '.unshare == "ok" and .clone == "ok"' nonroot exec --process "$PROCESS" "$ID"
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

@test "B6: a sysctl against user namespaces, in place of a filter, stops the container" {
  # Were it allowed, it would be the host's.
  config '.linux.sysctl = {"user.max_user_namespaces": "0"}'
  says bare run "$ID"
  [[ $STATUS != 0 && $ERR == *user.max_user_namespaces* && $OUT == '' ]] || explain 'expected that the runtime permits none'
  refused user.max_user_namespaces nonroot run "$ID"
}

@test "B5: a listener that carries out system calls as root" {
  local socket=$BATS_TEST_TMPDIR/agent.sock made=$BATS_TEST_TMPDIR/made rule agent
  "$ROOTFS/bin/probe" agent "$socket" "$made" 3>&- &
  agent=$!
  await test -S "$socket"
  for rule in '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: $socket, syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY"}]}' \
    '{defaultAction: "SCMP_ACT_ALLOW", listenerPath: $socket, listenerMetadata: "x", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_NOTIFY", args: [{index: 5, value: 0, op: "SCMP_CMP_GE"}]}]}'; do
    fresh
    config --arg socket "$socket" ".process.user = {uid: 1000, gid: 1000} | .linux.seccomp = $rule"
    runs mkdir /root/theirs
    succeeds bare run "$ID"
    [[ -e $made ]] || explain 'expected that the listener was asked'
    rm "$made"
    refused 'NOTIFY|listener' nonroot run "$ID"
    [[ ! -e $made ]]
  done
  # crun has two more ways to name a listener.
  if only crun; then
    config --arg socket "$socket" 'del(.linux.seccomp.listenerPath, .linux.seccomp.listenerMetadata) | .annotations = {"run.oci.seccomp.receiver": $socket}'
    succeeds bare run "$ID"
    rm "$made"
    refused 'NOTIFY|listener' nonroot run "$ID"
    config 'del(.annotations)'
    succeeds env RUN_OCI_SECCOMP_RECEIVER="$socket" "${BARE[@]}" run "$ID"
    rm "$made"
    refused 'NOTIFY|listener' env RUN_OCI_SECCOMP_RECEIVER="$socket" "${NONROOT[@]}" run "$ID"
  fi
  # Without such an action nothing is sent, whoever listens; the path alone is refused, too.
  fresh
  config --arg socket "$socket" '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", listenerPath: $socket, syscalls: []}'
  says nonroot run "$ID"
  [[ ! -e $made ]]
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_NOTIFY"}'
  refused 'NOTIFY|listener' nonroot run "$ID"
  kill "$agent" # not by %1, which is a job of bats
}
