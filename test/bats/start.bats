#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The start gate (SECURITY.md D7), containers from before the installation (D8), what is root for a moment (D11), one id
# in two places (F12).

load helpers

@test "D7: a container that was created as root without the wrapper" {
  created bare "$ID-attack"
  succeeds bare start "$ID-attack"
  status_shows root "$ID-attack"
  created bare
  refused 'uid|root' nonroot start "$ID"
  [[ $(bare state "$ID" | jq -r .status) != running ]]
}

@test "D7: one whose only fault is capabilities, the bounding set aside" {
  config '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true'
  created bare
  refused 'capabilit' nonroot start "$ID"
}

@test "D7: one whose only fault is that it can gain privileges" {
  config '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {bounding: []}'
  created bare
  refused 'NoNewPrivs|privileges' nonroot start "$ID"
}

@test "D7: one whose only fault is group 0" {
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [0]} | .process.noNewPrivileges = true
    | .process.capabilities = {bounding: []}'
  created bare
  refused 'group|gid' nonroot start "$ID"
}

@test "D7, A3: one whose only fault is a group that means something on the host" {
  # 6 is disk and 42 is shadow, on Debian and on most others.
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [6, 42]} | .process.noNewPrivileges = true
    | .process.capabilities = {bounding: []}'
  created bare "$ID-attack"
  succeeds bare start "$ID-attack"
  status_shows '.Groups == [6, 42]' "$ID-attack"
  created bare
  refused 'the group 6, which may mean something on the host' nonroot start "$ID"
  config '.process.user = {uid: 1000, gid: 6}'
  created bare "$ID-2"
  refused 'the gid 6, which is privileged on the host' nonroot start "$ID-2"
  # What the policy gives, and what means nothing, passes.
  policy <<<'identity.allowed_gids = [6, 42]'
  succeeds nonroot start "$ID-2"
  succeeds nonroot start "$ID"
  policy <<<''
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [54321]}'
  created bare "$ID-3"
  succeeds nonroot start "$ID-3"
}

@test "D7: one without fault passes" {
  config '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true | .process.capabilities = {bounding: []}'
  created bare
  succeeds nonroot start "$ID"
  status_shows 'nonroot(1000; 1000)' "$ID"
}

@test "D7: config.json changed between create and start changes nothing" {
  created nonroot
  fresh
  says nonroot start "$ID"
  [[ $STATUS != 0 ]] || status_shows nonroot "$ID"
}

@test "D7: a record of another container of the same bundle vouches for nothing" {
  created bare
  # The record in the bundle is now one of a container that was rewritten, and so is config.json.
  created nonroot "$ID-2"
  jq -e '.mode == "rewrite"' nonroot-runc.json >/dev/null
  refused 'created by nonroot-runc' nonroot start "$ID"
  succeeds nonroot start "$ID-2"
  status_shows nonroot "$ID-2"
}

@test "D7: in a user namespace, where ids are looked at as the container and as the host have them" {
  mapped
  created bare
  refused 'uid 0' nonroot start "$ID"
  # 1000 in the container is the host's root: it looks harmless from inside.
  config '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true | .process.capabilities = {bounding: []}
    | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 1000}, {containerID: 1000, hostID: 0, size: 1}]'
  created bare "$ID-2"
  refused 'host 0' nonroot start "$ID-2"
  config '.linux.uidMappings = .linux.gidMappings'
  created bare "$ID-3"
  succeeds nonroot start "$ID-3"
  status_shows '(.Uid | all(. == 101000)) and powerless' "$ID-3"
}

@test "D8: exec into a running container from before the installation" {
  detached bare
  process .
  shows root bare exec --process "$PROCESS" "$ID"
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
  shows nonroot nonroot exec -u 0 "$ID" probe
  # The init process stays what it was: the documentation says to make such containers again.
  status_shows root "$ID"
}

# nests is an exec that asks for a user namespace, in which it would be root.
nests() { "$1" exec "$2" unshare --user --map-root-user id -u; }

@test "D8: a record of a later call, of the same id and bundle, vouches for nothing" {
  local other=$BATS_TEST_TMPDIR/other
  # Without a seccomp profile, who makes a user namespace is root in it.
  detached bare
  succeeds nests bare "$ID"
  [[ $OUT == 0 ]]
  fails_with 1 nests nonroot "$ID"
  says nonroot create "$ID"
  [[ $STATUS != 0 && $ERR == *'already exists'* ]] || explain 'expected that there is one'
  jq -e '.mode == "rewrite"' nonroot-runc.json >/dev/null
  fails_with 1 nests nonroot "$ID"
  # Nor one of a container in another directory of states.
  mkdir -m 700 "$other"
  local first=$STATE
  keeps_state "$other"
  fresh
  runs probe pause
  says nonroot create "$ID" # whether or not the runtime minds that their cgroup is one
  bare delete --force "$ID" 2>/dev/null || true
  keeps_state "$first"
  jq -e '.mode == "rewrite"' nonroot-runc.json >/dev/null
  fails_with 1 nests nonroot "$ID"
}

@test "D8: a policy that leaves older containers alone" {
  detached bare
  policy <<<'existing = "leave"'
  process .
  shows root nonroot exec --process "$PROCESS" "$ID"
}

@test "D11: once started, no process of the container is root" {
  detached nonroot
  process '.args = ["probe", "pause"]'
  succeeds nonroot exec --detach --process "$PROCESS" "$ID"
  local namespace process seen=0
  namespace=$(readlink "/proc/$(pid "$ID")/ns/pid")
  for process in /proc/[0-9]*; do
    [[ $(readlink "$process/ns/pid") == "$namespace" ]] || continue
    # The runtime's own helper is root until it becomes the program.
    [[ $(tr '\0' ' ' <"$process/cmdline") != *'runc init'* && $(<"$process/comm") != runc:* ]] || continue
    shows nonroot status_of "${process#/proc/}"
    seen=$((seen + 1))
  done
  [[ $seen == 2 ]]
}

@test "F12: one id in two places, of which one is exempt" {
  local exempt=$BATS_TEST_TMPDIR/exempt other=$BATS_TEST_TMPDIR/other
  mkdir -m 700 "$exempt"
  cp -a "$BUNDLE" "$other"
  policy <<EOT
[[rule]]
name = "exempt"
mode = "off"
reason = "a test"
match.root = ["$exempt"]
EOT
  runs probe pause
  # Deleting by force kills a whole cgroup.
  config --arg path "/$ID-exempt" '.linux.cgroupsPath = $path'
  cp config.json "$other/config.json"
  config --arg path "/$ID" '.linux.cgroupsPath = $path'
  local there=("${NONROOT[@]::${#NONROOT[@]}-1}" "$exempt")
  succeeds "${there[@]}" create --bundle "$other" "$ID"
  succeeds "${there[@]}" start "$ID"
  succeeds nonroot create "$ID"
  succeeds nonroot start "$ID"
  process .
  shows root "${there[@]}" exec --process "$PROCESS" "$ID"
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
  status_shows nonroot "$ID"
  "${there[@]}" delete --force "$ID"
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
}

@test "F12: a record that an earlier container has left" {
  policy <<<$'mode = "off"\nreason = "a test"'
  runs probe pause
  succeeds nonroot create "$ID"
  bare delete --force "$ID"
  [[ -e nonroot-runc.json ]]
  : >"$POLICY"
  # The same bundle, by the bare runtime, under another id.
  succeeds bare create "$ID-2"
  refused 'created by nonroot-runc' nonroot start "$ID-2"
  bare start "$ID-2"
  process .
  shows root bare exec --process "$PROCESS" "$ID-2"
  shows nonroot nonroot exec --process "$PROCESS" "$ID-2"
  # And with another config.json, under the same one.
  config '.hostname = "another"'
  succeeds bare create "$ID"
  refused 'created by nonroot-runc' nonroot start "$ID"
}
