#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A policy that can't be read stops what is new, and nothing that runs: exec into a rewritten container goes by the last good one.

load helpers

setup() {
  setup_bundle
  POLICY=/etc/nonroot-runc/config.toml
}

# nonroot goes by the policy of the default place.
nonroot() { "$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" --root "$STATE" --log "$BATS_TEST_TMPDIR/log.json" --log-format json "$@"; }

teardown() {
  end_containers
  rm -rf /etc/nonroot-runc/* /var/lib/nonroot-runc/*
}

@test "a typing mistake in force: exec into a rewritten container goes on by the last good policy, and says so" {
  policy <<<"log.file = \"$BATS_TEST_TMPDIR/decisions\"
identity.uid = 4567"
  detached nonroot
  cmp "$POLICY" /var/lib/nonroot-runc/good/config.toml
  [[ $(stat -c '%a %u' /var/lib/nonroot-runc/good /var/lib/nonroot-runc/good/config.toml) == $'700 0\n600 0' ]]
  policy <<<'mode = rewrite'
  process '.args = ["probe"]'
  shows 'nonroot(4567; 65532)' nonroot exec --process "$PROCESS" "$ID"
  jq -e 'select(.level == "warning") | .msg | test("exec uses the last good policy, .*config.toml:1:")' "$BATS_TEST_TMPDIR/log.json"
  jq -se '.[-1] | .event == "exec" and (.notes | any(test("last good policy")))' "$BATS_TEST_TMPDIR/decisions"
  # What is new is refused, and what it was created by stays the last good one.
  fresh
  refused 'config.toml:1:8' nonroot run "$ID-new"
  refused 'config.toml:1:8' nonroot create "$ID-new"
  # A good one replaces it, once a container was created by it.
  policy <<<'identity.uid = 5678'
  fresh
  runs probe
  shows 'nonroot(5678; 65532)' nonroot run "$ID-new"
  cmp "$POLICY" /var/lib/nonroot-runc/good/config.toml
}

@test "a container that was not rewritten, or whose record is gone, has no such help" {
  policy <<<'identity.uid = 4567'
  detached nonroot
  detached bare "$ID-bare"
  policy <<<'mode = rewrite'
  process '.args = ["probe"]'
  refused 'config.toml:1:8' nonroot exec --process "$PROCESS" "$ID-bare"
  rm nonroot-runc.json
  refused 'config.toml:1:8' nonroot exec --process "$PROCESS" "$ID"
}

@test "where there was no policy, the last good one is the built-in one" {
  detached nonroot
  policy <<<'mode = rewrite'
  process '.args = ["probe"]'
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
  jq -e 'select(.level == "warning") | .msg | test("the built-in one")' "$BATS_TEST_TMPDIR/log.json"
}

@test "a copy that others can write, or none, is not a policy" {
  policy <<<'identity.uid = 4567'
  detached nonroot
  policy <<<'mode = rewrite'
  process '.args = ["probe"]'
  shows 'nonroot(4567; 65532)' nonroot exec --process "$PROCESS" "$ID"
  chmod 666 /var/lib/nonroot-runc/good/config.toml
  refused 'config.toml:1:8' nonroot exec --process "$PROCESS" "$ID"
  rm /var/lib/nonroot-runc/good/config.toml
  refused 'config.toml:1:8' nonroot exec --process "$PROCESS" "$ID"
}
