#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# An attacker who exchanges a bundle's files in a loop (SECURITY.md E8). Each of the four tests has TRIES tries, 2500 where
# nothing else is said, so that there are ten thousand in all.

load helpers

# Thousands of calls each, against an attacker who keeps a processor busy: a machine with other work takes minutes.
setup_file() { export BATS_TEST_TIMEOUT=1200; }

setup() {
  setup_bundle
  RACE=$BATS_TEST_TMPDIR/race
  (cd "$REPO" && CGO_ENABLED=0 go build -o "$RACE" ./test/race)
  cp "$RACE" "$BATS_TEST_TMPDIR/runtime"
  reachable
}

# races SCENARIO FILTER [UID]: a wrapper that looks at nothing loses, and the real one never, in what the filter says of
# its tries.
races() {
  shows '.wins > 0' "$RACE" -tries 5000 -until-win -uid "${3:-1000}" -config config.json "$1" "$BATS_TEST_TMPDIR/naive" \
    "$RACE" naive "$BATS_TEST_TMPDIR/runtime"
  shows ".wins == 0 and .tries == ${TRIES:-2500} and $2" "$RACE" -tries "${TRIES:-2500}" -uid "${3:-1000}" -config config.json "$1" "$BATS_TEST_TMPDIR/real" \
    "$REPO/bin/nonroot-runc" --nonroot-runtime "$BATS_TEST_TMPDIR/runtime" --nonroot-config "$POLICY" --root "$STATE" run "$ID" --bundle
  printf '# %s\n' "$1: $(jq -c 'del(.last)' <<<"$OUT")" >&3
}

@test "E8: the bundle's directory is the attacker's, who exchanges config.json" {
  races file '.held == 0'
}

@test "E8: the directory above is the attacker's, who exchanges the bundle" {
  races above '.held == 0'
}

@test "E8: the path to the bundle is a link of the attacker's" {
  races link '.held > 0 and .refused > 0'
}

@test "E8: Podman gives the bundle to the container's root, who exchanges config.json until it is taken back" {
  mapped
  races given '.held > 0 and .refused > 0' 100000
}
