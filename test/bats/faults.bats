#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: whatever goes wrong, no container runs that was not rewritten, config.json is the old one or the new one, and
# no temporary file is left. What needs no container is in cmd/nonroot-runc/faults_test.go: kill -9 and errors at each
# system call, full disks.

load helpers

# The many containers take their time where the machine has few processors and other work.
setup_file() { export BATS_TEST_TIMEOUT=300; }

# unharmed: config.json is as it came, there is no other file, and there is no container.
unharmed() {
  cmp "$BUNDLE/config.json" "$REPO/test/bats/config.json"
  [[ $(ls -A "$BUNDLE") == $'config.json\nrootfs' ]]
  [[ -z $(containers) ]]
}

@test "faults: the runtime is missing" {
  rm -f "$BATS_TEST_TMPDIR/runtime"
  refused 'no runtime found' "$REPO/bin/nonroot-runc" --nonroot-runtime "$BATS_TEST_TMPDIR/runtime" --root "$STATE" run "$ID"
  unharmed
}

@test "faults: the bundle is read-only" {
  # shellcheck disable=SC2016 # $@ is the inner shell's.
  refused 'read-only file system' unshare --mount sh -c 'mount --bind . . && mount -o remount,bind,ro . && cd "$PWD" && exec "$@"' sh "${NONROOT[@]}" run "$ID"
  unharmed
}

@test "faults: the disk is full" {
  # shellcheck disable=SC2016 # $@ is the inner shell's.
  refused 'no space left' unshare --mount sh -c '
    mount -t tmpfs -o size=64k,mode=700 tmpfs /mnt && mkdir /mnt/rootfs && mount --bind rootfs /mnt/rootfs &&
    cp config.json /mnt && cd /mnt && { head -c 1M /dev/zero >filler 2>/dev/null || true; } && exec "$@"' sh "${NONROOT[@]}" run "$ID"
  unharmed
}

@test "faults: a create that is killed at any time leaves no container that start would let run as root" {
  local tenth pid
  runs probe pause
  cp config.json "$BATS_TEST_TMPDIR/old.json"
  for tenth in {0..40}; do
    cp "$BATS_TEST_TMPDIR/old.json" config.json
    "${NONROOT[@]}" create "$ID" </dev/null >/dev/null 2>&1 3>&- &
    pid=$!
    sleep "0.00$((tenth / 2))$((tenth % 2 * 5))"
    kill -KILL "$pid" 2>/dev/null || true
    wait "$pid" || true
    cmp -s config.json "$BATS_TEST_TMPDIR/old.json" || jq -e '.process.user.uid == 65532 and .process.noNewPrivileges' config.json >/dev/null
    says nonroot start "$ID"
    if [[ $STATUS == 0 ]]; then status_shows nonroot "$ID"; fi
    nonroot delete --force "$ID" 2>/dev/null || true
    rm -rf "${STATE:?}/$ID"
  done
  runs probe
  nonroot_shows nonroot
}

@test "faults: 200 creates at once" {
  local i pids=() failed=0 leftover
  for i in {1..200}; do
    mkdir "$BATS_TEST_TMPDIR/many-$i"
    jq --arg rootfs "$ROOTFS" '.root.path = $rootfs | .process.args = ["probe", "pause"]' config.json >"$BATS_TEST_TMPDIR/many-$i/config.json"
  done
  for i in {1..200}; do
    "${NONROOT[@]}" create --bundle "$BATS_TEST_TMPDIR/many-$i" "$ID-$i" </dev/null >"$BATS_TEST_TMPDIR/many-$i.out" 2>&1 3>&- &
    pids+=($!)
  done
  for i in "${pids[@]}"; do wait "$i" || failed=$((failed + 1)); done
  [[ $failed == 0 ]] || explain "$failed failed" "$(cat "$BATS_TEST_TMPDIR"/many-*.out | sort | uniq -c)"
  [[ $(containers | wc -l) == 200 ]]

  # Each was rewritten, is nobody's root, and has nothing beside it but what belongs there.
  jq -e -s 'length == 200 and all(.process | .user.uid == 65532 and .noNewPrivileges and .capabilities.permitted == [])' "$BATS_TEST_TMPDIR"/many-*/config.json
  for i in {1..200}; do status_of "$(first_pid "$STATE/$ID-$i")"; done |
    jq -e -s "$JQ_DEFS"'length == 200 and all(nonroot)' >/dev/null
  leftover=$(find "$BATS_TEST_TMPDIR"/many-* -name '.*')
  [[ -z $leftover ]] || explain "left: $leftover"

  containers | xargs -P 8 -n 1 "${BARE[@]}" delete --force
}

# first_pid DIRECTORY is what the runtime's state there says; asking the runtime takes ten times as long.
first_pid() { cat "$1/state.json" "$1/status" 2>/dev/null | jq '.init_process_pid // .pid'; }
