#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl policy apply: a policy is put in force only if it is sound, what it changes for running containers is said before,
# and there is a way back.

load helpers

setup() {
  setup_bundle
  POLICY=/etc/nonroot-runc/config.toml
  NEW=$BATS_TEST_TMPDIR/new.toml
}

# nonroot goes by the policy of the default place.
nonroot() { "$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" --root "$STATE" "$@"; }

# apply [OPTION...] runs it. The runtimes' state is in one of the places where containers are looked for.
apply() { "$REPO/bin/nonroot-ctl" policy apply "$@"; }

# says_of TEXT... : each of them is part of the last command's output.
says_of() {
  local text
  for text in "$@"; do
    [[ $OUT == *"$text"* ]] || explain "expected in the output: $text" "$OUT" "$ERR"
  done
}

# stopped REGEX COMMAND... : it fails, and its message matches.
stopped() {
  local regex=$1
  shift
  says "$@"
  [[ $STATUS == 1 && $ERR =~ $regex ]] || explain "expected a failure that matches: $regex" "of: $*" "$STATUS" "$OUT" "$ERR"
}

teardown() {
  end_containers
  rmdir "$STATE"
  rm -rf /etc/nonroot-runc/* /var/lib/nonroot-runc/*
}

# known_state keeps the runtimes' state where nonroot-ctl looks for it.
known_state() {
  rmdir "$STATE"
  STATE=/run/docker/runtime-nrt-$BASHPID/moby
  mkdir -p "$STATE"
  keeps_state "$STATE"
}

@test "apply: what changes for a running container is said, then the policy is replaced, and rolled back" {
  known_state
  echo 'identity.uid = 4567' >"$POLICY"
  detached nonroot
  fresh
  detached bare "$ID-bare"
  echo 'identity.uid = 5678' >"$NEW"
  says apply --dry-run "$NEW"
  [[ $STATUS == 0 ]]
  says_of "\"$ID\": runs as 4567:65532 -> runs as 5678:65532" 'not governed by nonroot-runc' "dry run: \"$POLICY\" is unchanged"
  grep -q 4567 "$POLICY"
  [[ ! -e /var/lib/nonroot-runc/previous ]]

  says apply "$NEW"
  [[ $STATUS == 0 ]]
  says_of "\"$ID\": runs as 4567:65532 -> runs as 5678:65532" "replaced \"$POLICY\"" 'policy apply --rollback'
  cmp "$NEW" "$POLICY"
  [[ $(stat -c '%a %u' "$POLICY" /var/lib/nonroot-runc/previous /var/lib/nonroot-runc/previous/config.toml) == $'644 0\n700 0\n600 0' ]]
  cmp "$NEW" /var/lib/nonroot-runc/good/config.toml
  # It holds, from the next call on.
  fresh
  runs probe
  shows 'nonroot(5678; 65532)' nonroot run "$ID-new"
  says apply "$NEW"
  [[ $STATUS == 0 ]]
  says_of 'has this text already'

  says apply --rollback
  [[ $STATUS == 0 ]]
  says_of 'rolled back'
  [[ $(cat "$POLICY") == 'identity.uid = 4567' ]]
  grep -q 4567 /var/lib/nonroot-runc/good/config.toml
  # It swaps: the one that was rolled back is the one before.
  succeeds apply --rollback
  cmp "$NEW" "$POLICY"
}

@test "apply: a container that the new policy refuses or leaves alone is named, with the reason" {
  known_state
  : >"$POLICY"
  detached nonroot
  echo 'mode = "refuse"' >"$NEW"
  says apply --dry-run "$NEW"
  says_of "\"$ID\": runs as 65532:65532 -> refused: "
  printf 'mode = "off"\nreason = "ticket 4711"\n' >"$NEW"
  says apply --json --dry-run "$NEW"
  jq -e --arg id "$ID" '.containers.changed[] | select(.id == $id) | .before.mode == "rewrite" and .before.identity.uid == 65532
    and .after.mode == "off" and .after.reason == "ticket 4711"' <<<"$OUT"
  jq -e '.applied == false and .mode == "off" and .rules == 0' <<<"$OUT"
  # What only its text changes is counted.
  echo '# nothing' >"$NEW"
  says apply --json --dry-run "$NEW"
  jq -e --arg id "$ID" '(.containers.changed | any(.id == $id) | not) and .containers.same >= 1' <<<"$OUT"
}

@test "apply: a mistake, a log that takes no line, and an expectation that does not hold stop it" {
  echo 'identity.uid = 4567' >"$POLICY"
  echo 'mode = rewrite' >"$NEW"
  stopped 'new.toml:1' apply "$NEW"
  echo 'log = {file = "/nowhere/decisions", required = true}' >"$NEW"
  stopped 'log.required would refuse every container.*no directory "/nowhere"' apply "$NEW"
  echo 'identity.uid = 5678' >"$NEW"
  cat >"$BATS_TEST_TMPDIR/expect.toml" <<<'[[test]]
name = "everybody is 4567"
container = {engine = "docker"}
expect = {uid = 4567}'
  stopped '1 of 1 expectations do not hold' apply --test "$BATS_TEST_TMPDIR/expect.toml" "$NEW"
  [[ $(cat "$POLICY") == 'identity.uid = 4567' && ! -e /var/lib/nonroot-runc/previous ]]
  stopped 'nothing to roll back to' apply --rollback
  sed -i s/4567/5678/g "$BATS_TEST_TMPDIR/expect.toml"
  succeeds apply --test "$BATS_TEST_TMPDIR/expect.toml" "$NEW"
  cmp "$NEW" "$POLICY"
  stopped 'takes one file, or --rollback' apply
  stopped 'takes one file, or --rollback' apply --rollback "$NEW"
}

@test "apply: over a mistake in force, the last good one is what is rolled back to" {
  echo 'identity.uid = 4567' >"$POLICY"
  detached nonroot
  echo 'mode = rewrite' >"$POLICY"
  echo 'identity.uid = 5678' >"$NEW"
  says apply "$NEW"
  [[ $STATUS == 0 ]]
  says_of "the policy in force can't be read" 'config.toml:1'
  succeeds apply --rollback
  [[ $(cat "$POLICY") == 'identity.uid = 4567' ]]
}

@test "apply: --rollback of a file that was broken by hand brings back the last good one, not the one before" {
  echo 'identity.uid = 4567' >"$POLICY"
  echo 'identity.uid = 5678' >"$NEW"
  succeeds apply "$NEW"
  printf 'identity.uid = 6789\n' >"$POLICY"
  # It is good, and was in force for a call.
  runs probe
  shows 'nonroot(6789; 65532)' nonroot run "$ID"
  echo 'mode = rewrite' >"$POLICY"
  fresh
  runs probe
  says nonroot run "$ID-broken"
  [[ $STATUS != 0 ]] || explain 'it runs'
  [[ $ERR == *'nonroot-ctl policy apply --rollback'* ]] || explain 'the way back is not named'
  says apply --rollback
  [[ $STATUS == 0 ]]
  says_of "replaced \"$POLICY\"" || says_of 'rolled back'
  [[ $(cat "$POLICY") == 'identity.uid = 6789' ]]
  runs probe
  fresh
  shows 'nonroot(6789; 65532)' nonroot run "$ID-again"
}

@test "apply: where there was no file, the built-in policy is what is rolled back to; a profile is put in its own file" {
  echo 'identity.uid = 5678' >"$NEW"
  succeeds apply "$NEW"
  succeeds apply --rollback
  runs probe
  shows 'nonroot(65532; 65532)' nonroot run "$ID"
  succeeds apply --profile strict "$NEW"
  cmp "$NEW" /etc/nonroot-runc/strict.toml
  [[ $(cat "$POLICY") != *5678* ]]
  stopped 'nothing to roll back to' apply --profile strict --rollback
  stopped 'not the name of a profile' apply --profile ../x "$NEW"
}

@test "config show: every value and the line that sets it, as a policy that means the same" {
  succeeds "$REPO/bin/nonroot-ctl" config show
  says_of 'There is no /etc/nonroot-runc/config.toml' 'uid = 65532 '
  printf '%s\n' '[home]' 'size = "1g"' '[[rule]]' 'name = "db"' 'match.namespace = ["db"]' 'identity.uid = 70000' >"$POLICY"
  succeeds "$REPO/bin/nonroot-ctl" config show
  says_of 'mode = "rewrite"                        # built in' 'size = "1g"                             # line 2' 'identity.uid = 70000                    # line 6'
  printf '%s\n' "$OUT" >"$NEW"
  succeeds "$REPO/bin/nonroot-ctl" policy show --policy "$NEW" --engine kubernetes --namespace db
  says_of '70000:65532'
  succeeds "$REPO/bin/nonroot-ctl" config show --rule db
  says_of 'uid = 70000                             # line 6' 'size = "1g"                             # line 2'
  succeeds "$REPO/bin/nonroot-ctl" config show --json
  jq -e --arg sum "$(sha256sum "$POLICY" | cut -d " " -f 1)" '.file == "/etc/nonroot-runc/config.toml" and .sha256 == $sum
    and any(.settings[]; .key == "home.size" and .value == "1g" and .line == 2)
    and any(.settings[]; .key == "mode" and .value == "rewrite" and .line == null)
    and .rules[0].name == "db" and .rules[0].line == 3' <<<"$OUT" >/dev/null || explain 'the JSON'
  stopped 'has no rule "web"' "$REPO/bin/nonroot-ctl" config show --rule web
  # A profile without a log has the general one's.
  printf '[log]\nfile = "/var/log/x"\n' >"$POLICY"
  printf 'mode = "audit"\n' >/etc/nonroot-runc/night.toml
  succeeds "$REPO/bin/nonroot-ctl" config show --profile night
  says_of 'mode = "audit"                          # line 1' 'file = "/var/log/x"                     # /etc/nonroot-runc/config.toml'
}

@test "policy check and test have JSON" {
  printf 'home.size = "1g"\n[[rule]]\nname = "all"\n[[rule]]\nname = "never"\nuntil = 2020-01-01\n' >"$POLICY"
  succeeds "$REPO/bin/nonroot-ctl" policy check --json
  jq -e '.file == "/etc/nonroot-runc/config.toml" and .mode == "rewrite" and .rules == 2 and (.hints | length) == 2' <<<"$OUT" >/dev/null || explain 'check'
  printf 'policy = "/etc/nonroot-runc/config.toml"\n[[test]]\nname = "right"\nexpect.uid = 65532\n[[test]]\nname = "wrong"\nexpect.uid = 5\n' >"$BATS_TEST_TMPDIR/e.toml"
  says "$REPO/bin/nonroot-ctl" policy test --policy "$POLICY" --json "$BATS_TEST_TMPDIR/e.toml"
  [[ $STATUS == 1 ]] || explain 'one does not hold'
  jq -e '[.tests[] | [.name, .ok, (.wrong | length)]] == [["right", true, 0], ["wrong", false, 1]]' <<<"$OUT" >/dev/null || explain 'test'
}
