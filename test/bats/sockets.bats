#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Mounts that lead to an engine's socket (SECURITY.md C2). The host's /run is a tmpfs of the test's own.

load helpers

setup() {
  setup_bundle
  mount -t tmpfs -o mode=755 run /run
  mkdir /run/elsewhere
  "$ROOTFS/bin/probe" listen /run/docker.sock 3>&- &
  ENGINE=$!
  await test -S /run/docker.sock
  config '.process.user = {uid: 1000, gid: 1000} | .process.capabilities = {}'
}

teardown() {
  kill "$ENGINE"
  wait "$ENGINE" || true
  umount /run
  end_containers
}

# binds SOURCE [OPTION] mounts it at /srv/host.
binds() {
  config --arg source "$1" --arg option "${2:-rbind}" '.mounts += [{destination: "/srv/host", type: "bind", source: $source, options: [$option, "ro"]}]'
}

# again begins anew, as whom a filter says.
again() {
  fresh
  rm -rf "${ROOTFS:?}/srv/host"
  config "$1 | .process.capabilities = {}"
}

# dials USER makes the container, as that user, connect to the socket in the host's /run.
dials() {
  again ".process.user = $1"
  binds /run
  runs probe dial /srv/host/docker.sock
}

@test "C2: a socket that everyone may open, by itself and by directories above it, with and without a detour" {
  local row source inside
  chmod 666 /run/docker.sock
  mkdir "$BATS_TEST_TMPDIR/tree" "$BATS_TEST_TMPDIR/tree/deep"
  ln -s /run "$BATS_TEST_TMPDIR/link"
  mount --bind /run "$BATS_TEST_TMPDIR/tree/deep"
  touch "$BATS_TEST_TMPDIR/alias"
  mount --bind /run/docker.sock "$BATS_TEST_TMPDIR/alias"
  for row in "/run/docker.sock " "/run /docker.sock" "/ /run/docker.sock" "$BATS_TEST_TMPDIR/alias " "$BATS_TEST_TMPDIR/link /docker.sock" \
    "/proc/self/root/run /docker.sock" "$BATS_TEST_TMPDIR/tree /deep/docker.sock" "../tree /deep/docker.sock" "/run/elsewhere/.. /docker.sock"; do
    read -r source inside <<<"$row"
    again '.process.user = {uid: 1000, gid: 1000}'
    binds "$source"
    runs probe dial "/srv/host$inside"
    bare_shows '.dial == "ok"' || explain "with $row"
    refused "engine's socket" nonroot run "$ID" || explain "with $row"
  done
  umount "$BATS_TEST_TMPDIR/tree/deep" "$BATS_TEST_TMPDIR/alias"
}

@test "C2: a socket of another user than root" {
  chmod 600 /run/docker.sock
  chown 1000 /run/docker.sock
  binds /run/docker.sock
  runs probe dial /srv/host
  bare_shows '.dial == "ok"'
  refused 'uid 1000 may open' nonroot run "$ID"
  # Somebody else is refused, too, as an exec can be that user; not so where the policy lets no such user be.
  again '.process.user = {uid: 1001, gid: 1001}'
  binds /run/docker.sock
  runs probe dial /srv/host
  refused 'uid 1000 may open' nonroot run "$ID"
  policy <<<'identity.allowed_uids = [1001]'
  nonroot_shows '.dial == "EACCES"'
}

@test "C2: a socket of a group's: the group is taken away, and the record and the log say that it was there" {
  policy <<<"log.file = \"$BATS_TEST_TMPDIR/log\""
  chgrp 999 /run/docker.sock
  chmod 660 /run/docker.sock
  dials '{uid: 1000, gid: 1000, additionalGids: [999]}'
  bare_shows '.dial == "ok"'
  nonroot_shows '.dial == "EACCES"'
  jq -e '.notes | any(test("engine.s socket .*/run/docker.sock.: closed"))' nonroot-runc.json
  jq -e '.notes | any(test("engine.s socket"))' "$BATS_TEST_TMPDIR/log"
  # A gid that means nothing else on the host.
  chgrp 23456 /run/docker.sock
  dials '{uid: 1000, gid: 23456}'
  bare_shows '.dial == "ok"'
  nonroot_shows '.dial == "EACCES"'
  # The administrator's word.
  policy <<<'identity.allowed_gids = [23456]'
  dials '{uid: 1000, gid: 23456}'
  nonroot_shows '.dial == "ok"'
  jq -e '.notes | any(test("open to it by gid 23456"))' nonroot-runc.json
}

@test "other mounts, and those that stop short of the socket, are let through" {
  chmod 666 /run/docker.sock
  runs probe
  binds /run/elsewhere
  nonroot_shows 'nonroot(1000; 1000)'
  jq -e '(.notes // []) | all(test("socket") | not)' nonroot-runc.json
  again '.process.user = {uid: 1000, gid: 1000}'
  binds / bind
  nonroot_shows 'nonroot(1000; 1000)'
}

# mounts SOURCE [OPTION] begins anew with a bind mount that can be written.
mounts() {
  again .
  config --arg source "$1" --arg option "${2:-rw}" '.mounts += [{destination: "/srv/host", type: "bind", source: $source, options: ["rbind", $option]}]'
  runs probe
}

@test "F16: nonroot-runc's own policy, list, state, log and programs are in no container" {
  local source
  mkdir -p "$BATS_TEST_TMPDIR/own/log" "$BATS_TEST_TMPDIR/ids"
  mv "$POLICY" "$BATS_TEST_TMPDIR/own/policy.toml"
  POLICY=$BATS_TEST_TMPDIR/own/policy.toml
  keeps_state "$STATE"
  : >"$BATS_TEST_TMPDIR/own/log/decisions"
  : >"$BATS_TEST_TMPDIR/own/people"
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
log.file = "$BATS_TEST_TMPDIR/own/log/decisions"
identity.users_file = "$BATS_TEST_TMPDIR/own/people"
TOML
  ln -s own "$BATS_TEST_TMPDIR/other"
  chmod 600 "$BATS_TEST_TMPDIR/own/log/decisions"
  for source in own/policy.toml other/policy.toml own/people ids own/log/decisions; do
    mounts "$BATS_TEST_TMPDIR/$source"
    succeeds bare run "$ID"
    refused "nonroot-runc's own" nonroot run "$ID" || explain "with $source"
  done
  mounts "$REPO/bin/nonroot-runc"
  refused "nonroot-runc's own program" nonroot run "$ID"
  # By another mount of the same directory, as an engine's volume may be.
  mkdir "$BATS_TEST_TMPDIR/volume"
  mount --bind "$BATS_TEST_TMPDIR/ids" "$BATS_TEST_TMPDIR/volume"
  mkdir "$BATS_TEST_TMPDIR/ids/below"
  for source in volume volume/below; do
    mounts "$BATS_TEST_TMPDIR/$source"
    refused "nonroot-runc's own state" nonroot run "$ID" || explain "with $source"
  done
  umount "$BATS_TEST_TMPDIR/volume"
  # Whoever collects logs may read this one; a directory above is mounted for many reasons.
  mounts "$BATS_TEST_TMPDIR/own/log/decisions" ro
  nonroot_shows nonroot
  mounts "$BATS_TEST_TMPDIR/own"
  nonroot_shows nonroot
}
