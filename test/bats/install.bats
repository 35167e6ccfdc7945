#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# make install: an upgrade fails no call of the runtime.

load helpers

setup() {
  setup_bundle
  TO=$BATS_TEST_TMPDIR/to
  SBIN=$TO/usr/local/sbin
}

installed() { make -s -C "$REPO" install DESTDIR="$TO" "$@"; }

# called_during ENOUGH COMMAND... repeats the command, while the runtime is called through a profile's link as fast as it can be, until
# ENOUGH holds: a condition on $CALLS and $FAILED, how many calls there were and how many of them failed.
called_during() {
  local enough=$1 calls
  shift
  CALLS=0 FAILED=0
  (
    until [[ -e $BATS_TEST_TMPDIR/enough ]]; do
      CALLS=$((CALLS + 1))
      "$SBIN/nonroot-runc.link" --nonroot-runtime "$RUNTIME_PATH" --nonroot-config "$POLICY" --version >/dev/null 2>&1 || FAILED=$((FAILED + 1))
      echo "$CALLS $FAILED" >"$BATS_TEST_TMPDIR/calls.new"
      mv "$BATS_TEST_TMPDIR/calls.new" "$BATS_TEST_TMPDIR/calls"
    done
  ) 3>&- &
  calls=$!
  await test -e "$BATS_TEST_TMPDIR/calls"
  # A test that never has enough ends by bats' own limit.
  until ((enough)); do
    "$@" || explain "$*"
    read -r CALLS FAILED <"$BATS_TEST_TMPDIR/calls"
  done
  : >"$BATS_TEST_TMPDIR/enough"
  wait "$calls"
  read -r CALLS FAILED <"$BATS_TEST_TMPDIR/calls"
  rm "$BATS_TEST_TMPDIR"/{enough,calls}
}

@test "make build says what it built, and what to do next" {
  succeeds make -s -C "$REPO" build BIN="$BATS_TEST_TMPDIR/built"
  [[ -x $BATS_TEST_TMPDIR/built/nonroot-runc && $OUT == "built $BATS_TEST_TMPDIR/built/nonroot-runc and $BATS_TEST_TMPDIR/built/nonroot-ctl, version "*$'\nnext: sudo make install && sudo nonroot-ctl setup' ]] || explain "$OUT"
}

@test "make install: programs, man pages, and where to" {
  succeeds installed
  [[ $(find "$TO" -type f ! -path '*/doc/*' ! -path '*/policies/*' -printf '%P %m\n' | LC_ALL=C sort) == 'usr/local/sbin/nonroot-ctl 755
usr/local/sbin/nonroot-runc 755
usr/local/share/bash-completion/completions/nonroot-ctl 644
usr/local/share/fish/vendor_completions.d/nonroot-ctl.fish 644
usr/local/share/man/man8/nonroot-ctl.8 644
usr/local/share/man/man8/nonroot-runc.8 644
usr/local/share/zsh/site-functions/_nonroot-ctl 644' ]] || explain "$(find "$TO" -printf '%P %m\n')"
  [[ -s $TO/usr/local/share/doc/nonroot-runc/docs/policy.md && -s $TO/usr/local/share/nonroot-runc/policies/workstation.toml ]] || explain "$(find "$TO")"
  cmp "$REPO/bin/nonroot-runc" "$SBIN/nonroot-runc"
  succeeds installed PREFIX=/usr SBINDIR=/opt/sbin
  [[ -x $TO/opt/sbin/nonroot-runc && -e $TO/usr/share/man/man8/nonroot-runc.8 && ! -e $TO/usr/sbin ]] || explain "$(find "$TO")"
}

@test "make uninstall: what was installed goes, and nothing else" {
  succeeds installed
  mkdir -p "$TO/etc/nonroot-runc"
  : >"$TO/etc/nonroot-runc/config.toml"
  : >"$SBIN/other"
  succeeds make -s -C "$REPO" uninstall DESTDIR="$TO"
  [[ $(find "$TO" -type f -printf '%P\n' | sort) == $'etc/nonroot-runc/config.toml\nusr/local/sbin/other' ]] || explain "$(find "$TO")"
}

@test "make install: what is there is replaced, also while it runs, and links to it stay" {
  mkdir -p "$SBIN"
  cp /bin/sleep "$SBIN/nonroot-runc"
  ln -s nonroot-runc "$SBIN/nonroot-runc.ci"
  "$SBIN/nonroot-runc" 60 3>&- &
  local running=$!
  await eval '[[ $(readlink /proc/'$running'/exe) == */nonroot-runc ]]'
  succeeds installed
  kill "$running"
  cmp "$REPO/bin/nonroot-runc" "$SBIN/nonroot-runc.ci"
  [[ $(readlink "$SBIN/nonroot-runc.ci") == nonroot-runc && -z $(find "$SBIN" -name '.*') ]] || explain "$(ls -la "$SBIN")"
}

@test "make install: no call fails while it is repeated; with install(1), some do" {
  succeeds installed
  ln -s nonroot-runc "$SBIN/nonroot-runc.link"
  called_during 'FAILED > 0' install -m 755 "$REPO/bin/nonroot-runc" "$REPO/bin/nonroot-ctl" "$SBIN"
  called_during 'CALLS > 80' installed
  ((FAILED == 0)) || explain "$FAILED of $CALLS calls failed"
}
