#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# containerd by its own client: the runtime is named for each container. Each test shows first what the same call gives
# with the bare runtime.

load engines

setup_file() {
  start_containerd
  import_containerd bb
}
teardown_file() { stop_containerd; }

setup() {
  ID=nrc-$BATS_SUITE_TEST_NUMBER
  no_policy
}
teardown() { end_task "$ID"; }

IMAGE=docker.io/library/bb:latest

bare() { ctr run --rm --runc-binary "$(command -v runc)" "$@"; }
nonroot() { ctr run --rm --runc-binary "$NONROOT" "$@"; }

# end_task ID removes a container, whatever became of it.
end_task() {
  ctr tasks kill --all --signal KILL "$1" 2>/dev/null || true
  await ctr_gone "$1"
}

ctr_gone() {
  ctr tasks rm --force "$1" 2>/dev/null || true
  ctr containers rm "$1" 2>/dev/null || true
  ! ctr containers ls -q | grep -qx "$1"
}

# task TOOL [FLAG...] leaves a container running.
task() {
  local tool=$1 binary=$NONROOT
  shift
  [[ $tool == nonroot ]] || binary=$(command -v runc)
  ctr run -d --runc-binary "$binary" "$@" "$IMAGE" "$ID" probe pause
}

# in_task [FLAG...] COMMAND... : one more process.
in_task() { ctr tasks exec --exec-id "e$RANDOM" "$@"; }

@test "ctr run: root under the bare runtime, nobody's root here" {
  shows root bare "$IMAGE" "$ID" probe
  shows nonroot nonroot "$IMAGE" "$ID" probe
}

@test "ctr run: name and home" {
  succeeds nonroot "$IMAGE" "$ID" sh -c 'id -un; echo x >"$HOME/x" && stat -c "%a %u" "$HOME"'
  [[ $OUT == $'nonroot\n700 65532' ]] || explain 'expected a name and a home'
}

@test "A10: --allow-new-privs gives none" {
  shows 'root and .NoNewPrivs == 0' bare --allow-new-privs "$IMAGE" "$ID" probe
  shows nonroot nonroot --allow-new-privs "$IMAGE" "$ID" probe
}

@test "D1: tasks exec, also as root" {
  task bare
  shows root in_task "$ID" probe
  end_task "$ID"
  task nonroot
  shows nonroot in_task "$ID" probe
  shows nonroot in_task --user 0 "$ID" probe
  shows 'nonroot(1000; 65532)' in_task --user 1000 "$ID" probe
}

@test "B1: no user namespace, with and without a profile" {
  shows '.unshare == "ok"' bare "$IMAGE" "$ID" probe userns
  shows '.unshare == "EPERM" and .clone3 == "ENOSYS"' nonroot "$IMAGE" "$ID" probe userns
  shows '.unshare == "EPERM" and .clone3 == "ENOSYS"' nonroot --seccomp "$IMAGE" "$ID" probe userns
}

@test "F1 D6: annotations exempt nobody and lead nowhere" {
  local annotations=(--annotation io.kubernetes.cri.container-type=sandbox --annotation bundle=/evil --annotation run.oci.keep_original_groups=1)
  shows nonroot nonroot "${annotations[@]}" "$IMAGE" "$ID" probe
  task nonroot "${annotations[@]}"
  shows nonroot in_task --user 0 "$ID" probe
}

@test "a terminal" {
  says on_tty ctr run --rm -t --runc-binary "$NONROOT" "$IMAGE" "$ID" sh -c 'tty; id -u'
  contains /dev/pts/0
  contains 65532
}

@test "exit codes are the bare runtime's" {
  same_exit_codes "$IMAGE" "$ID"
}

@test "pause, resume, kill, delete" {
  task nonroot
  ctr tasks pause "$ID"
  [[ $(ctr tasks ls) == *"$ID"*PAUSED* ]]
  ctr tasks resume "$ID"
  shows nonroot in_task "$ID" probe
  ctr tasks kill --signal KILL "$ID"
  await ctr_gone "$ID"
  empty /run/containerd/runc/default /run/containerd/io.containerd.runtime.v2.task/default
}

@test "a refusal is read where ctr runs, and a broken policy stops no kill" {
  task nonroot
  policy <<<'no_such_key = 1'
  fails_with 1 nonroot "$IMAGE" "$ID-2" probe
  [[ $ERR == *'unknown key "no_such_key"'* ]] || explain 'expected the reason'
  ctr containers rm "$ID-2" || true
  ctr tasks kill --signal KILL "$ID"
  await ctr_gone "$ID"
  policy <<<'mode = "refuse"'
  fails_with 1 nonroot "$IMAGE" "$ID-2" probe
  [[ $ERR == *'asks for root'*'set USER in its image'* ]] || explain 'expected advice'
  ctr containers rm "$ID-2" || true
}

@test "doctor --engine containerd: a runtime that rewrites nothing fails the self-test, nonroot-runc passes it, and nothing is left" {
  local bare=/usr/local/sbin/nonroot-bare
  printf '#!/bin/sh\nexec %s "$@"\n' "$(command -v runc)" >"$bare"
  chmod 755 "$bare"
  says nonroot-ctl doctor --engine containerd --binary "$bare"
  rm "$bare"
  [[ $STATUS == 1 ]] || explain 'expected a failure'
  contains 'FAIL self-test via containerd: ctr run: uid: [0 0 0 0]'
  contains 'FAIL self-test via containerd: ctr tasks exec --user 0: it has uid [0 0 0 0]'
  says nonroot-ctl doctor --engine containerd
  [[ $OUT != *'FAIL self-test via containerd'* ]] || explain 'it fails'
  contains 'ok   self-test via containerd: ctr run: uid: [65532 65532 65532 65532]'
  contains 'ok   self-test via containerd: ctr tasks exec --user 0: runs as 1000:1000 without capabilities'
  [[ $(ctr namespaces ls -q) != *selftest* ]] || explain 'a namespace is left'
}
