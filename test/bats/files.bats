#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The files themselves: links, owners, directories that others write, own temporary files (SECURITY.md E7, E8, E13).

load helpers

@test "E7: config.json is a symbolic link, a hard link, a FIFO, a directory" {
  mv config.json "$BATS_TEST_TMPDIR/victim"
  ln -s "$BATS_TEST_TMPDIR/victim" config.json
  bare_shows root
  refused 'symbolic link' nonroot run "$ID"
  ln -f "$BATS_TEST_TMPDIR/victim" config.json
  refused 'hard link' nonroot run "$ID"
  cmp "$BATS_TEST_TMPDIR/victim" "$REPO/test/bats/config.json"
  rm config.json
  mkfifo config.json
  refused 'regular file' timeout 5 "${NONROOT[@]}" run "$ID"
  rm config.json
  mkdir config.json
  refused 'regular file' nonroot run "$ID"
}

@test "E7: config.json belongs to somebody else, or can be written by others" {
  chown 1000 config.json
  bare_shows root
  refused 'belongs to uid 1000' nonroot run "$ID"
  chown 0 config.json
  chmod 666 config.json
  reachable
  bare_shows root
  refused 'written by others' nonroot run "$ID"
}

@test "E7: exec's process file is a link, or somebody else's" {
  detached nonroot
  process .
  mv "$PROCESS" "$BATS_TEST_TMPDIR/real"
  ln -s "$BATS_TEST_TMPDIR/real" "$PROCESS"
  shows root bare exec --process "$PROCESS" "$ID"
  refused 'symbolic link' nonroot exec --process "$PROCESS" "$ID"
  chown 1000 "$BATS_TEST_TMPDIR/real"
  refused 'belongs to uid 1000' nonroot exec --process "$BATS_TEST_TMPDIR/real" "$ID"
}

# Docker 29 gives itself umask 0.
@test "E7: a mode that others could only use if they got there" {
  chmod 666 config.json
  nonroot_shows nonroot
  [[ $(stat -c %a config.json) == 664 ]] || explain 'expected that others cannot write what was rewritten'
}

@test "E7: the replaced file has the same mode and owner" {
  chmod 640 config.json
  chgrp 6 config.json
  nonroot_shows nonroot
  [[ $(stat -c '%a %u:%g' config.json) == '640 0:6' ]]
}

@test "E8: the bundle's directory can be written by others" {
  chmod 777 "$BUNDLE"
  bare_shows root
  refused 'written by others' nonroot run "$ID"
  chmod 700 "$BUNDLE"
  chown 1000 "$BUNDLE"
  refused 'belongs to uid 1000' nonroot run "$ID"
}

# Rootful Podman does so with --uidmap and --userns=auto.
@test "E8: a bundle that was given to the container's own root is taken back" {
  mapped
  chmod 700 "$BUNDLE"
  chown 100000:100000 "$BUNDLE"
  bare_shows root
  nonroot_shows nonroot
  [[ $(stat -c '%u:%g %a' "$BUNDLE") == '0:100000 710' ]]
  # Who only watches changes nothing, and says what would be.
  fresh
  mapped
  chown 100000:100000 "$BUNDLE"
  policy <<<'mode = "audit"'
  says nonroot --log "$BATS_TEST_TMPDIR/log" --log-format json run "$ID"
  jq -e '.msg | test("would run as 65532:65532")' "$BATS_TEST_TMPDIR/log" >/dev/null || explain 'expected what would be'
  [[ $(stat -c %u "$BUNDLE") == 100000 ]] || explain 'expected the directory as it was'
  : >"$POLICY"
  # Somebody else's stays so, and is refused.
  fresh
  mapped
  chown 100001 "$BUNDLE"
  refused 'belongs to uid 100001' nonroot run "$ID"
  [[ $(stat -c %u "$BUNDLE") == 100001 ]]
}

@test "E8: a directory above the bundle can be written by others" {
  mkdir -m 777 "$BATS_TEST_TMPDIR/open"
  chmod 777 "$BATS_TEST_TMPDIR/open"
  mv "$BUNDLE" "$BATS_TEST_TMPDIR/open/bundle"
  shows root bare run --bundle "$BATS_TEST_TMPDIR/open/bundle" "$ID"
  refused 'written by others' nonroot run --bundle "$BATS_TEST_TMPDIR/open/bundle" "$ID"
  # As /tmp is: sticky and root's.
  chmod 1777 "$BATS_TEST_TMPDIR/open"
  shows nonroot nonroot run --bundle "$BATS_TEST_TMPDIR/open/bundle" "$ID"
}

@test "E13: no temporary file stays, and none is made where others write" {
  nonroot_shows nonroot
  detached nonroot
  process .
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
  [[ $(find /tmp /var/tmp -maxdepth 1 -newer "$POLICY" -iname '*nonroot-runc*') == '' ]]
  # In the bundle: its two, and what is the wrapper's by name, written by root alone.
  find "$BUNDLE" -mindepth 1 -maxdepth 1 ! -name config.json ! -name rootfs -printf '%f %m\n' | tee "$BATS_TEST_TMPDIR/own"
  run ! grep -vE '^nonroot-[^ ]+ 6[04][04]$' "$BATS_TEST_TMPDIR/own"
  run ! grep -iE 'tmp|temp' "$BATS_TEST_TMPDIR/own"
}

@test "E13: an exec leaves the directory of its process file as it was" {
  detached nonroot
  mkdir "$BATS_TEST_TMPDIR/session"
  process .
  mv "$PROCESS" "$BATS_TEST_TMPDIR/session/exec-process-1"
  shows nonroot nonroot exec --process "$BATS_TEST_TMPDIR/session/exec-process-1" "$ID"
  [[ $(ls -A "$BATS_TEST_TMPDIR/session") == exec-process-1 ]]
}
