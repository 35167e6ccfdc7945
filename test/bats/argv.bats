#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# One reading of the command line, one way to the next runtime, one policy file (SECURITY.md E9-E12).

load helpers

setup() {
  setup_bundle
  # The bundle that an attacker wants to be read; the one in the working directory is harmless.
  EVIL=$BATS_TEST_TMPDIR/evil
  cp -a "$BUNDLE" "$EVIL"
  config '.process.user = {uid: 1000, gid: 1000}'
}

# no_evil FLAGS... : whatever is made of these flags, nobody runs as root, whichever bundle it was.
no_evil() {
  install -m 600 "$REPO/test/bats/config.json" "$EVIL/config.json"
  says nonroot "$@"
  if [[ $STATUS == 0 ]]; then
    shows 'powerless and (.Uid | all(. != 0)) and (.Gid | all(. != 0)) and .Groups == []' cat "$BATS_TEST_TMPDIR/out" || explain "with $*"
  else
    [[ -z $OUT && -n $ERR ]] || explain "with $*"
  fi
}

@test "E9: a bundle named after the container's id" {
  ! only runc || shows root bare run --bundle "$BUNDLE" "$ID" --bundle "$EVIL"
  no_evil run --bundle "$BUNDLE" "$ID" --bundle "$EVIL"
  no_evil run "$ID" -b "$EVIL"
  no_evil run "$ID" "--bundle=$EVIL"
}

@test "E9: a bundle named twice" {
  shows root bare run --bundle "$BUNDLE" --bundle "$EVIL" "$ID"
  refused 'bundle' nonroot run --bundle "$BUNDLE" --bundle "$EVIL" "$ID"
  refused 'bundle' nonroot run -b "$BUNDLE" --bundle "$EVIL" "$ID"
  refused 'bundle' nonroot run -b "$BUNDLE" -b "$EVIL" "$ID"
}

@test "E9: each spelling of --bundle" {
  local flags
  for flags in "-bundle $EVIL" "-bundle=$EVIL" "--b $EVIL" "-b=$EVIL" "-b $EVIL" "-b$EVIL" "--bund $EVIL" "--bundle=$EVIL" \
    "--bundle $EVIL/." "--bundle $EVIL/../evil" "-d=false -b $EVIL" "--no-pivot --bundle $EVIL"; do
    # shellcheck disable=SC2086 # Two words, or one.
    no_evil run $flags "$ID"
  done
}

@test "E9: --bundle without a value, or with an empty one" {
  cd "$EVIL"
  no_evil run --bundle= "$ID"
  no_evil run --bundle '' "$ID"
  no_evil run "$ID"
  no_evil run -- "$ID"
  refused '.' nonroot run --bundle
}

@test "E9: crun's --config replaces config.json" {
  ! only crun || shows root bare run --config "$EVIL/config.json" "$ID"
  refused 'config' nonroot run --config "$EVIL/config.json" "$ID"
  refused 'config' nonroot run -f "$EVIL/config.json" "$ID"
  refused 'config|flag' nonroot run "-f$EVIL/config.json" "$ID"
  refused 'config|flag' nonroot run --conf "$EVIL/config.json" "$ID"
}

@test "E9: values that look like verbs, and containers named like them" {
  no_evil --log "$BATS_TEST_TMPDIR/run" run --bundle "$EVIL" "$ID"
  install -m 600 "$REPO/test/bats/config.json" "$EVIL/config.json"
  (cd "$BATS_TEST_TMPDIR" && no_evil --log state run --bundle "$EVIL" "$ID")
  no_evil run --bundle "$EVIL" state
  no_evil run --bundle "$EVIL" create
}

@test "E9: unknown flags and unknown verbs are refused" {
  refused 'flag' nonroot run --no-such-flag "$ID"
  refused 'unknown command' nonroot no-such-verb "$ID"
  refused '.' nonroot --no-such-flag run "$ID"
}

@test "E9: global flags after the verb" {
  no_evil run --root "$STATE" --bundle "$EVIL" "$ID"
  no_evil run --log /dev/null --bundle "$EVIL" "$ID"
}

@test "E9: exec: after the id everything is the command" {
  detached nonroot
  succeeds nonroot exec "$ID" echo -u 0 --user 0
  [[ $OUT == '-u 0 --user 0' ]]
  never_root_or_1000 exec "$ID" -- probe
}

never_root_or_1000() {
  says nonroot "$@"
  [[ $STATUS != 0 ]] || jq -e "$JQ_DEFS nonroot(1000; 1000)" <<<"$OUT" >/dev/null || explain "of $*"
}

@test "E9: variables by which runc talks to its own helper" {
  local name
  for name in INITPIPE LOGPIPE; do
    ! only runc || refused "_LIBCONTAINER_$name" env "_LIBCONTAINER_$name=x" "${BARE[@]}" run "$ID"
    fresh
    shows nonroot env "_LIBCONTAINER_$name=x" "${NONROOT[@]}" run "$ID"
  done
}

# as_runc COMMAND... runs it where /usr/local/sbin/runc is $1, for the command alone.
as_runc() {
  unshare --mount --propagation private bash -euc '
    mount -t tmpfs tmpfs /usr/local/sbin
    case $0 in
      copy) cp "$1" /usr/local/sbin/runc ;;
      link) ln -s "$1" /usr/local/sbin/runc ;;
      hard) touch /usr/local/sbin/runc && mount --bind "$1" /usr/local/sbin/runc ;;
    esac
    shift
    exec timeout 10 "$@"' "$@"
}

@test "E10: every command of the runtime that starts a process is governed" {
  local command commands
  # An interposer that looks at create alone misses these.
  config '.process.user = {uid: 0, gid: 0}'
  shows root bare run "$ID"
  shows nonroot nonroot run "$ID"
  fresh
  detached bare
  shows root bare exec --user 0:0 "$ID" probe
  shows nonroot nonroot exec --user 0:0 "$ID" probe
  fresh
  created bare "$ID-2"
  refused 'created by nonroot-runc' nonroot start "$ID-2"
  refused 'restore' nonroot restore "$ID-3"
  # What the runtime itself says it has, is either known or refused: nothing is handed on in ignorance.
  commands=$("$RUNTIME_PATH" --help | sed -n 's/^ \{2,4\}\([a-z]\{2,\}\)[ ,].*/\1/p; s/^\t\([a-z]*\) *- .*/\1/p' | grep -vx "$RUNTIME" | sort -u)
  [[ $(wc -l <<<"$commands") -gt 10 && $commands == *exec*kill*run*start* ]] || explain "expected commands: $commands"
  for command in $commands; do
    says nonroot "$command" --help
    [[ $ERR != *'unknown command'* ]] || explain "nobody knows $command"
  done
  for command in mount mounts enter shell Run EXEC creat execs; do
    refused "unknown command|mounts" nonroot "$command" "$ID" probe || explain "with $command"
  done
}

@test "E11: installed under the name runc, it finds the real one and not itself" {
  local way
  for way in copy link hard; do
    install -m 600 "$REPO/test/bats/config.json" config.json
    shows nonroot as_runc "$way" "$REPO/bin/nonroot-runc" \
      env -u PATH /usr/local/sbin/runc --nonroot-config "$POLICY" --root "$STATE" run "$ID" || explain "as a $way"
  done
}

@test "E11: named itself as the next runtime, it refuses" {
  refused 'itself' "$REPO/bin/nonroot-runc" --nonroot-runtime "$REPO/bin/nonroot-runc" --nonroot-config "$POLICY" --root "$STATE" run "$ID"
}

@test "E12: neither the environment nor the working directory is a policy" {
  mkdir -p "$BATS_TEST_TMPDIR/xdg/nonroot-runc"
  fresh
  printf 'mode = "off"\nreason = "attack"\n' | tee "$BATS_TEST_TMPDIR/xdg/nonroot-runc/config.toml" >config.toml
  # On the command line, it is one.
  shows root "$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" --nonroot-config "$BUNDLE/config.toml" --root "$STATE" run "$ID"
  shows nonroot env XDG_CONFIG_HOME="$BATS_TEST_TMPDIR/xdg" XDG_CONFIG_DIRS="$BATS_TEST_TMPDIR/xdg" \
    HOME="$BATS_TEST_TMPDIR/xdg" NONROOT_CONFIG="$BUNDLE/config.toml" NONROOT_MODE=off "${NONROOT[@]}" run "$ID"
}

@test "E12: a policy that others can write, or own, is refused" {
  policy <<<$'mode = "off"\nreason = "attack"'
  fresh
  shows root nonroot run "$ID"
  chmod 666 "$POLICY"
  refused 'policy' nonroot run "$ID"
  chmod 644 "$POLICY"
  chown 1000 "$POLICY"
  refused 'policy' nonroot run "$ID"
}

@test "E12: a policy in a directory that others can write, or own, is refused" {
  local dir=$BATS_TEST_TMPDIR/open/below
  mkdir -p "$dir"
  printf 'mode = "off"\nreason = "attack"\n' >"$dir/policy.toml"
  config '.process.user = {uid: 0, gid: 0}'
  POLICY=$dir/policy.toml
  keeps_state "$STATE"
  shows root nonroot run "$ID"
  chmod 777 "$dir"
  refused 'written by others' nonroot run "$ID"
  chmod 755 "$dir"
  chown 1000 "$BATS_TEST_TMPDIR/open"
  refused 'belongs to uid 1000' nonroot run "$ID"
}

@test "E12: a broken policy is refused with file, line and column" {
  policy <<<$'mode = "rewrite"\nno_such_key = 1'
  refused 'policy.toml:2:1' nonroot run "$ID"
}
