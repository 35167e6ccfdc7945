#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Which runtime a call goes on to, when it is not where it was, and that only root can change what that is.

load helpers

setup() {
  setup_bundle
  RT=$BATS_TEST_TMPDIR/rt
  mkdir -p "$RT/v1"
  cp "$RUNTIME_PATH" "$RT/v1/$RUNTIME"
  policy <<<"runtimes = [\"$RT/v1/$RUNTIME\"]"
  hidden=()
}
teardown() {
  local file
  for file in "${hidden[@]}"; do umount "$file"; done
  hidden=()
  end_containers

}

# hides takes the machine's own runtimes out of sight: the built-in search finds none.
hides() {
  local file
  for file in /usr/{local/,}{sbin,bin}/{runc,crun}; do
    [[ -e $file ]] || continue
    mount --bind /dev/null "$file"
    hidden+=("$file")
  done
}

# named is the wrapper without --nonroot-runtime: the policy says which.
named() { "$REPO/bin/nonroot-runc" --nonroot-config "$POLICY" --root "$STATE" "$@"; }

# moves updates the runtime, and the policy with it.
moves() {
  mv "$RT/v1" "$RT/v2"
  policy <<<"runtimes = [\"$RT/v2/$RUNTIME\"]"
}

# paused creates a container that waits to be started, and goes on then.
paused() {
  runs probe pause
  succeeds named create "$1"
}

@test "a runtime outside of the built-in search moves: start, exec, state, kill and delete still find it" {
  hides
  paused c
  jq -e --arg r "$RT/v1/$RUNTIME" '.runtime == $r' nonroot-runc.json
  moves
  succeeds named start c
  process '.args = ["probe"]'
  shows 'nonroot' named exec --process "$PROCESS" c
  succeeds named state c
  succeeds named kill c KILL
  succeeds named delete --force c
  [[ -z $(containers) ]]
}

@test "the record is gone: start refuses nothing for want of a runtime, and state, kill and delete find it" {
  hides
  paused c
  moves
  mv nonroot-runc.json elsewhere.json
  succeeds named start c
  succeeds named state c
  succeeds named kill c KILL
  succeeds named delete --force c
  [[ -z $(containers) ]]
}

@test "the policy is broken and the record's runtime is where it was: kill and delete do not ask it" {
  hides
  paused c
  policy <<<'no policy at all'
  succeeds named start c
  succeeds named kill c KILL
  succeeds named delete --force c
}

@test "the policy is broken and the record's runtime is gone: the built-in search has the last word" {
  paused c
  mv "$RT/v1" "$RT/v2"
  policy <<<'no policy at all'
  succeeds named kill c KILL
  succeeds named delete --force c
}

@test "E11: a runtime in a directory that others can write is somebody else's to choose, also through a link" {
  chmod 0777 "$RT/v1"
  refused 'can be changed by others than root: .*can be written by others' named run c
  chmod 0755 "$RT/v1"
  mkdir -m 1777 "$RT/tmp"
  ln -s "$RT/v1" "$RT/tmp/link"
  policy <<<"runtimes = [\"$RT/tmp/link/$RUNTIME\"]"
  runs probe
  shows nonroot named run c
  fresh
  chown -h 1000 "$RT/tmp/link"
  refused 'symbolic link .* belongs to uid 1000' named run c
}

@test "E12: a policy whose path leads through somebody else's link is nobody's" {
  mkdir -m 1777 "$RT/tmp"
  mkdir "$RT/mine"
  mv "$POLICY" "$RT/mine/policy.toml"
  ln -s "$RT/mine" "$RT/tmp/link"
  linked() { "$REPO/bin/nonroot-runc" --nonroot-config "$RT/tmp/link/policy.toml" --root "$STATE" "$@"; }
  shows nonroot linked run c
  fresh
  chown -h 1000 "$RT/tmp/link"
  refused 'symbolic link .* belongs to uid 1000' linked run c
}

# wraps NAME makes the runtime behind us one that writes config.json anew, as NVIDIA's does for each container.
wraps() {
  cat >"$RT/v1/$1" <<SH
#!/bin/bash
for word; do [[ \$word != --bundle=* ]] || bundle=\${word#--bundle=}; done
[[ -z \${bundle:-} ]] || { jq . "\$bundle/config.json" >"\$bundle/new.json" && mv "\$bundle/new.json" "\$bundle/config.json"; }
exec "$RT/v1/$RUNTIME" "\$@"
SH
  chmod 755 "$RT/v1/$1"
  policy <<<"runtimes = [\"$RT/v1/$1\"]
identity.range = \"200000-200999\"
state = \"$BATS_TEST_TMPDIR/ids\""
}

@test "D7: NVIDIA's runtime behind nonroot-runc is refused, with the order that works" {
  wraps nvidia-container-runtime
  refused 'rewrites config.json .* let the engine call the wrapper, and the wrapper nonroot-runc' named run c
  mv "$RT/v1/nvidia-container-runtime" "$RT/v1/real"
  ln -s "$RT/v1/real" "$RT/v1/nvidia-container-runtime.cdi"
  policy <<<"runtimes = [\"$RT/v1/nvidia-container-runtime.cdi\"]"
  refused 'let the engine call the wrapper' named run c
}

@test "D7: with any other wrapper behind us, exec is the container's identity all the same, and start looks at its groups" {
  wraps "wrapped-$RUNTIME"
  paused c
  succeeds named start c
  local uid
  uid=$(proc_status c | jq '.Uid[0]')
  [[ $uid -ge 200000 ]]
  process '.args = ["probe"]'
  shows "nonroot($uid; $uid)" named exec --process "$PROCESS" c
  process '.args = ["probe"] | .user = {uid: 1234, gid: 6}'
  shows "nonroot(1234; $uid)" named exec --process "$PROCESS" c
}

@test "D8: exec into a container that runs as somebody else than root already is that one, too" {
  config '.process.user = {uid: 4321, gid: 4322} | .process.noNewPrivileges = true | .process.capabilities = {bounding: []}'
  detached bare
  process '.args = ["probe"]'
  shows root bare exec --process "$PROCESS" "$ID"
  shows 'nonroot(4321; 4322)' nonroot exec --process "$PROCESS" "$ID"
  # Not with a group that means something on the host, nor a uid that the policy does not have.
  policy <<<'identity.allowed_uids = ["5000-6000"]'
  shows 'nonroot(65532; 65532)' nonroot exec --process "$PROCESS" "$ID"
  policy <<<''
  bare delete --force "$ID"
  config '.process.user = {uid: 4321, gid: 6}'
  detached bare
  shows 'nonroot(4321; 65532)' nonroot exec --process "$PROCESS" "$ID"
}

@test "D7: a uid that the policy does not let a container keep does not pass the gate" {
  config '.process.user = {uid: 4321, gid: 4322} | .process.noNewPrivileges = true | .process.capabilities = {bounding: []}'
  created bare
  policy <<<'identity.allowed_uids = ["5000-6000"]'
  refused 'the uid 4321, which the policy .* does not let a container keep' nonroot start "$ID"
  policy <<<'identity.sources = ["fixed"]'
  refused 'the uid 4321' nonroot start "$ID"
  process '.args = ["probe"]'
  shows 'nonroot(65532; 65532)' nonroot exec --process "$PROCESS" "$ID"
  policy <<<'identity.allowed_uids = [4321]'
  succeeds nonroot start "$ID"
}

@test "D8: a user namespace that the first process has made does not say who an exec is" {
  config '.process.user = {uid: 4321, gid: 4322} | .process.noNewPrivileges = true | .process.capabilities = {bounding: []}'
  runs unshare -U probe pause
  succeeds bare create "$ID"
  succeeds bare start "$ID"
  await_namespace "$ID"
  only runc || return 0 # crun goes where the first process is, and has no right to there
  process '.args = ["probe"]'
  shows 'nonroot(65532; 65532)' nonroot exec --process "$PROCESS" "$ID"
  process '.args = ["probe"] | .user = {uid: 4321, gid: 4322}'
  shows 'nonroot(4321; 4322)' nonroot exec --process "$PROCESS" "$ID"
}

# await_namespace ID waits until its first process has one.
await_namespace() {
  local i
  for ((i = 0; i < 100; i++)); do
    [[ $(readlink "/proc/$(pid "$1")/ns/user") == "$(readlink /proc/self/ns/user)" ]] || return 0
    sleep 0.05
  done
  return 1
}

@test "E12: state below somebody else's link is nobody's word on a container" {
  detached nonroot
  mkdir -m 1777 "$RT/tmp"
  ln -s "$STATE" "$RT/tmp/link"
  process '.args = ["probe"]'
  by_link() { "$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" --nonroot-config "$POLICY" --root "$RT/tmp/link" "$@"; }
  shows nonroot by_link exec --process "$PROCESS" "$ID"
  chown -h 1000 "$RT/tmp/link"
  fails_with 1 by_link exec --process "$PROCESS" "$ID"
  [[ $ERR =~ 'symbolic link'.*'belongs to uid 1000' ]] || explain 'expected the link'
  # Nothing may stop kill.
  succeeds by_link kill "$ID" KILL
}
