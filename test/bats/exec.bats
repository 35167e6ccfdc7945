#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# exec is governed like create (SECURITY.md D1-D6), and so is restore (D9); D10: no mounts behind the policy's back.

load helpers

@test "D1: an engine's process file asks for root and Docker's capabilities" {
  detached nonroot
  process .
  shows 'root and .CapEff == "00000000a80425fb" and .NoNewPrivs == 0' bare exec --process "$PROCESS" "$ID"
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
}

@test "D1: each recorded process file" {
  local file count=0
  detached nonroot
  for file in "$REPO"/internal/spec/testdata/recorded/*.process.json; do
    # A terminal and working directories are other tests' matter; this image has no user app.
    jq '.args = ["probe"] | .cwd = "/" | .terminal = false' "$file" >"$PROCESS"
    shows '(uid(65532) or uid(1000)) and (.Gid | all(. >= 1000)) and (.Groups | all(. >= 1000)) and powerless' \
      nonroot exec --process "$PROCESS" "$ID" || explain "with $file"
    count=$((count + 1))
  done
  [[ $count -gt 10 ]]
}

@test "D1: detached, as engines call it" {
  detached nonroot
  process '.args = ["probe", "pause"]'
  succeeds nonroot exec --detach --pid-file "$BATS_TEST_TMPDIR/pid" --process "$PROCESS" "$ID"
  shows nonroot status_of "$(<"$BATS_TEST_TMPDIR/pid")"
}

@test "D1: from another working directory, by every spelling of the flag" {
  detached nonroot
  process .
  cd /
  shows nonroot nonroot exec --process="$PROCESS" "$ID"
  shows nonroot nonroot exec -p "$PROCESS" "$ID"
  # After the id everything is the command: this is not a flag.
  ! only runc || never_root nonroot exec "$ID" probe --process "$PROCESS"
}

@test "D2: a process file without user, noNewPrivileges and capabilities" {
  detached nonroot
  process 'del(.user, .noNewPrivileges, .capabilities)'
  shows 'root and .NoNewPrivs == 0' bare exec --process "$PROCESS" "$ID"
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
}

@test "D2: each of the three alone left out" {
  local key
  detached bare "$ID-bare"
  fresh
  detached nonroot
  for key in user noNewPrivileges capabilities; do
    process --arg key "$key" '.noNewPrivileges = true | del(.[$key])'
    # What is left out is root's, off, and what the container has.
    shows 'root and .NoNewPrivs == (if "'"$key"'" == "noNewPrivileges" then 0 else 1 end) and .CapEff == "00000000a80425fb"' \
      bare exec --process "$PROCESS" "$ID-bare"
    shows nonroot nonroot exec --process "$PROCESS" "$ID"
  done
}

@test "D3: every spelling of --user 0" {
  local flags
  detached nonroot
  shows root bare exec --user 0:0 "$ID" probe
  # Both runtimes truncate to 32 bits.
  shows root bare exec -u 4294967296:4294967296 "$ID" probe
  for flags in '-u 0' '--user=0:0' '--user 0:0' '-u 0:0' '-user 0' '-u=0' '-u 4294967296:4294967296' \
    '-u -4294967296:-4294967296' '-u +0:00' '-u 0:1000' '-u root' '-u 4294967295' '-u0'; do
    # shellcheck disable=SC2086 # Two words, or one.
    never_root nonroot exec $flags "$ID" probe || explain "with $flags"
  done
  shows nonroot nonroot exec -u 0 "$ID" probe
  shows nonroot nonroot exec --user=0:0 "$ID" probe
}

@test "D3: another user than root is given" {
  detached nonroot
  shows 'nonroot(1234; 2345)' nonroot exec -u 1234:2345 "$ID" probe
  shows 'uid(1234) and (.Gid | all(. != 0)) and powerless' nonroot exec -u 1234 "$ID" probe
  shows 'uid(1234) and (.Gid | all(. != 0)) and powerless' nonroot exec -u 1234:0 "$ID" probe
}

@test "D3: --cap, --additional-gids and --no-new-privs=false" {
  local flags
  detached nonroot
  shows '.CapEff != none' bare exec --user 0:0 --cap CAP_NET_RAW "$ID" probe
  for flags in '--cap CAP_NET_RAW' '--cap=CAP_SETUID' '-c CAP_KILL' '--additional-gids 0' '-g 0' '-g 4294967296' \
    '--additional-gids=6' '--no-new-privs=false' '--no-new-privs=0'; do
    # shellcheck disable=SC2086 # Two words, or one.
    never_root nonroot exec $flags "$ID" probe || explain "with $flags"
  done
}

@test "D4: exec without a user" {
  detached nonroot
  # crun 1.8 forgets the container's user, and noNewPrivileges with it.
  ! only crun || shows 'root and .NoNewPrivs == 0' bare exec "$ID" probe
  shows nonroot nonroot exec "$ID" probe
  fresh
  config '.process.user = {uid: 1000, gid: 1000}'
  detached nonroot "$ID-2"
  shows 'nonroot(1000; 1000)' nonroot exec "$ID-2" probe
}

@test "D5: config.json changed after create" {
  detached nonroot
  fresh
  # runc reads the user from the bundle again.
  ! only runc || shows root bare exec "$ID" probe
  shows nonroot nonroot exec "$ID" probe
}

@test "D6: an annotation named bundle leads runc elsewhere" {
  # A label is KEY=VALUE, and the search splits at the first sign: the directory's name has one, for the second key.
  local annotation evil=$BATS_TEST_TMPDIR/evil=x
  mkdir -m 700 "$evil"
  install -m 600 "$REPO/test/bats/config.json" "$evil/config.json"
  for annotation in '{"bundle": $evil}' '{("bundle=\($evil[:-2])"): "x"}'; do
    fresh
    config --arg evil "$evil" '.process.user = {uid: 1000, gid: 1000} | .annotations = '"$annotation"
    if only runc; then
      detached bare "$ID-bare"
      shows root bare exec "$ID-bare" probe
      succeeds bare delete --force "$ID-bare"
    fi
    detached nonroot
    shows 'nonroot(1000; 1000)' nonroot exec "$ID" probe
    succeeds nonroot delete --force "$ID"
  done
}

@test "D6: exec into a container that was made with such an annotation before" {
  local evil=$BATS_TEST_TMPDIR/evil
  mkdir -m 700 "$evil"
  install -m 600 "$REPO/test/bats/config.json" "$evil/config.json"
  config --arg evil "$evil" '.process.user = {uid: 1000, gid: 1000} | .annotations = {bundle: $evil}'
  detached bare
  ! only runc || shows root bare exec "$ID" probe
  shows 'uid(1000) and (.Gid | all(. != 0)) and powerless' nonroot exec "$ID" probe
}

@test "D9: restore takes credentials from CRIU's images" {
  mkdir "$BATS_TEST_TMPDIR/image"
  refused restore nonroot restore --bundle "$BUNDLE" --image-path "$BATS_TEST_TMPDIR/image" "$ID"
}

@test "D10: mounts added to a live container" {
  detached nonroot
  refused mounts nonroot mounts add "$ID" mounts.json
}

# mine makes a null device that may be given away; the machine's own is not put at risk.
mine() {
  MINE=$BATS_TEST_TMPDIR/null
  mknod -m 666 "$MINE" c 1 3
}

@test "C8: exec does not give the host's /dev/null to the container" {
  mine
  detached bare
  bare exec --user 1000 "$ID" true <"$MINE"
  only runc || [[ $(stat -c %u "$MINE") == 1000 ]]
  chown 0:0 "$MINE"
  bare delete --force "$ID"
  fresh
  detached nonroot
  # shellcheck disable=SC2094 # a null device may be read and written
  nonroot exec "$ID" sh -c 'echo read "$(wc -c)"; echo lost >&2' <"$MINE" 2>"$MINE" >"$BATS_TEST_TMPDIR/said"
  grep -x 'read 0' "$BATS_TEST_TMPDIR/said"
  [[ $(stat -c '%u:%g %a' "$MINE") == '0:0 666' ]]
}
