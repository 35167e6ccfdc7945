#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Builds, as BuildKit runs them: `run` with a bundle of its own below a directory that the policy names (SECURITY.md F8). The
# mount points that a runtime makes stay in the image that is built.

load helpers

# A builder's directory, with the bundle in it.
setup() {
  setup_bundle
  EXECUTOR=$BATS_TEST_TMPDIR/buildkit/executor
  mkdir -p "$EXECUTOR"
  mv "$BUNDLE" "$EXECUTOR/$ID"
  BUNDLE=$EXECUTOR/$ID
  ROOTFS=$BUNDLE/rootfs
  cd "$BUNDLE" || return
}

rule() { printf '[build]\nmode = "%s"\nreason = "images are built as root"\nbundles = ["%s"]\n' "$1" "$EXECUTOR" | policy; }

@test "F8: a build that may run as root does, and its record says why" {
  rule off
  nonroot_shows root
  jq -e '.mode == "off" and .rule == "build" and .reason == "images are built as root"' nonroot-runc.json
}

@test "F8: what is no build is not exempt" {
  rule off
  mkdir "$EXECUTOR/deeper"
  mv "$BUNDLE" "$EXECUTOR/deeper/$ID"
  shows nonroot nonroot run --bundle "$EXECUTOR/deeper/$ID" "$ID"
  mv "$EXECUTOR/deeper/$ID" "$BATS_TEST_TMPDIR/$ID"
  BUNDLE=$BATS_TEST_TMPDIR/$ID fresh
  shows nonroot nonroot run --bundle "$BATS_TEST_TMPDIR/$ID" "$ID"
}

@test "F8: a link to a bundle elsewhere is no build" {
  rule off
  mv "$BUNDLE" "$BATS_TEST_TMPDIR/elsewhere"
  ln -s "$BATS_TEST_TMPDIR/elsewhere" "$BUNDLE"
  cd "$BATS_TEST_TMPDIR" # runc takes the working directory's name from PWD, and refuses links in it
  shows nonroot nonroot run --bundle "$BUNDLE" "$ID"
}

@test "F8: a builder's directory that others can write exempts nothing" {
  rule off
  chmod 777 "$EXECUTOR"
  refused 'written by others' nonroot run "$ID"
}

@test "a rewritten build leaves no mount point in the image" {
  rm -rf "${ROOTFS:?}"/{home,etc/passwd,etc/group}
  find "$ROOTFS" | sort >"$BATS_TEST_TMPDIR/before"
  rule rewrite
  nonroot_shows nonroot
  find "$ROOTFS" | sort | diff "$BATS_TEST_TMPDIR/before" -
  # The same bundle elsewhere: the runtime makes them.
  fresh
  printf '' | policy
  nonroot_shows nonroot
  find "$ROOTFS" | sort >"$BATS_TEST_TMPDIR/after"
  ! diff "$BATS_TEST_TMPDIR/before" "$BATS_TEST_TMPDIR/after" || explain "this test does not bite"
}
