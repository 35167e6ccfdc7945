#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: no stray file descriptors (SECURITY.md C14).

load helpers

# with_fd3 REDIRECTION COMMAND... opens descriptor 3 and closes 4 (bats has both open).
with_fd3() { bash -c "exec 3$1 4>&-; shift; exec \"\$@\"" with_fd3 "$@"; }

# none_open COMMAND... closes those that bats has open.
none_open() { bash -c 'exec 3>&- 4>&- 5>&-; exec "$@"' none_open "$@"; }

@test "C14: a descriptor that is not open: the container gets runc's own" {
  # By the runc's own directory of cgroups, an O_PATH handle that is the third or the fifth, to the host's files.
  printf 'of the host\n' >"$BATS_TEST_TMPDIR/file"
  runs sh -c 'cat /proc/self/fd/[345]/../../..$1' sh "$BATS_TEST_TMPDIR/file"
  says none_open "${BARE[@]}" run --preserve-fds 3 "$ID"
  only crun || contains 'of the host' # crun has none to lend
  refused 'file descriptor 3' nonroot run --preserve-fds 1 "$ID"
  refused 'file descriptor 3' none_open "${NONROOT[@]}" run --preserve-fds 3 "$ID"
  refused 'file descriptor 4' with_fd3 '</dev/null' "${NONROOT[@]}" run --preserve-fds 2 "$ID"
}

@test "C14: a directory leads out of the container" {
  printf 'of the host\n' >"$BATS_TEST_TMPDIR/file"
  runs sh -c 'cat /proc/self/fd/3/file'
  says with_fd3 "<$BATS_TEST_TMPDIR" "${BARE[@]}" run --preserve-fds 1 "$ID"
  contains 'of the host'
  refused 'file descriptor 3' with_fd3 "<$BATS_TEST_TMPDIR" "${NONROOT[@]}" run --preserve-fds 1 "$ID"
}

@test "C14: LISTEN_FDS counts as well" {
  refused 'file descriptor 3' env LISTEN_FDS=1 "${NONROOT[@]}" run "$ID"
}

@test "C14: open files and pipes go through, in run and in exec" {
  printf 'handed over\n' >"$BATS_TEST_TMPDIR/file"
  runs sh -c 'cat <&3'
  succeeds with_fd3 "<$BATS_TEST_TMPDIR/file" "${NONROOT[@]}" run --preserve-fds 1 "$ID"
  contains 'handed over'
  detached nonroot
  succeeds with_fd3 "<$BATS_TEST_TMPDIR/file" "${NONROOT[@]}" exec --preserve-fds 1 "$ID" sh -c 'cat <&3'
  contains 'handed over'
  refused 'file descriptor 3' nonroot exec --preserve-fds 1 "$ID" true
}

@test "the wrapper leaves no descriptor of its own in the container" {
  # The shell has some of its own; what counts is that bare and wrapped agree on the numbers.
  runs sh -c 'cd /proc/$$/fd && echo *'
  config '.process.user = {uid: 1000, gid: 1000}'
  says bare run "$ID"
  local bare=$OUT
  says nonroot run "$ID"
  [[ $OUT == "$bare" ]] || explain "bare: $bare"
}

@test "C14: a directory as standard input" {
  ! nonroot run "$ID" <"$BUNDLE" 2>"$BATS_TEST_TMPDIR/err" || explain 'it ran'
  grep -q 'file descriptor 0 is an open directory' "$BATS_TEST_TMPDIR/err"
  [[ $(stat -c %u "$BUNDLE") == 0 ]]
}

# With a user namespace, crun's create gives its standard descriptors to the container's user.
@test "C14: the host's null device stays root's, with a user namespace" {
  mapped
  runs sh -c 'chmod 600 /proc/self/fd/0; true'
  bare run "$ID" </dev/null
  only runc || [[ $(stat -c %u:%g:%a /dev/null) == 100000:100000:600 ]] || explain "the attack: $(stat -c %u:%g:%a /dev/null)"
  chown 0:0 /dev/null
  chmod 666 /dev/null
  nonroot run "$ID" </dev/null
  [[ $(stat -c %u:%g:%a /dev/null) == 0:0:666 ]] || explain "now $(stat -c %u:%g:%a /dev/null)"
}
