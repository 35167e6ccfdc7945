#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A session keyring of its own (SECURITY.md C7).

load helpers

# with_key COMMAND... runs it with a key in the session keyring, as an engine that was started from a login has.
with_key() { "$ROOTFS/bin/probe" keyed "$@"; }

@test "C7: --no-new-keyring leaves the container the caller's keys" {
  local verb
  runs probe key
  shows '.key == "the caller'\''s secret"' with_key "${BARE[@]}" run --no-new-keyring "$ID"
  shows '.key == "ENOKEY"' with_key "${NONROOT[@]}" run --no-new-keyring "$ID"
  shows '.key == "ENOKEY"' with_key "${NONROOT[@]}" run "$ID"
  # As Podman does with keyring = false: create, then start.
  for verb in bare nonroot; do
    fresh
    runs sh -c 'probe key >/tmp/key'
    chmod 1777 "$ROOTFS/tmp"
    case $verb in
      bare) succeeds with_key "${BARE[@]}" create --no-new-keyring "$ID-$verb" ;;
      nonroot) succeeds with_key "${NONROOT[@]}" create --no-new-keyring "$ID-$verb" ;;
    esac
    succeeds "$verb" start "$ID-$verb"
    await test -s "$ROOTFS/tmp/key"
    cp "$ROOTFS/tmp/key" "$BATS_TEST_TMPDIR/key-$verb"
    rm "$ROOTFS/tmp/key"
  done
  shows '.key == "the caller'\''s secret"' cat "$BATS_TEST_TMPDIR/key-bare"
  shows '.key == "ENOKEY"' cat "$BATS_TEST_TMPDIR/key-nonroot"
}

@test "C7: an exec does not get the keys of whoever called it" {
  detached nonroot
  process '.args = ["probe", "key"]'
  # runc's exec joins the container's keyring; crun's joins none.
  ! only crun || shows '.key == "the caller'\''s secret"' with_key "${BARE[@]}" exec --process "$PROCESS" "$ID"
  shows '.key == "ENOKEY"' with_key "${NONROOT[@]}" exec --process "$PROCESS" "$ID"
  shows '.key == "ENOKEY"' with_key "${NONROOT[@]}" exec "$ID" probe key
}

@test "C7: nor does one in a container that was created with --no-new-keyring before the installation" {
  runs probe pause
  succeeds bare create --no-new-keyring "$ID"
  succeeds bare start "$ID"
  process '.args = ["probe", "key"]'
  shows '.key == "the caller'\''s secret"' with_key "${BARE[@]}" exec --process "$PROCESS" "$ID"
  shows '.key == "ENOKEY"' with_key "${NONROOT[@]}" exec --process "$PROCESS" "$ID"
  shows '.key == "ENOKEY"' with_key "${NONROOT[@]}" exec "$ID" probe key
}
