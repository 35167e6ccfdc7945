#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl ps: what runs as root in containers now, whatever started it, and why it may.

load helpers

# lists [OPTION...] is what ps says of the test's container, in $OUT.
lists() {
  says "$REPO/bin/nonroot-ctl" ps --json --root "$STATE" "$@"
  [[ $STATUS == 0 ]] || explain 'expected success' || return
  OUT=$(jq -c --arg id "$ID" '[.containers[] | select(.id == $id)]' <<<"$OUT")
}

# holds FILTER: it is so.
holds() { jq -e "$1" <<<"$OUT" >/dev/null || explain "expected: $1"; }

# goes_on RUNTIME starts a container that stays.
goes_on() {
  config '.process.args = ["/bin/sleep", "1000"] | .process.terminal = false'
  "$@" run --detach "$ID" </dev/null >/dev/null 2>&1 3>&-
}

@test "ps: a container of the bare runtime is root, and nobody has governed it" {
  goes_on bare
  lists
  holds 'length == 1 and (.[0] | .governed == false and (.why | test("left no record")) and (.processes | length == 1) and
    (.processes[0] | .role == "init" and .host_root and .inner_root and .uids == [0] and .inner_pid == 1))'
  says "$REPO/bin/nonroot-ctl" ps --exit-code --root "$STATE"
  [[ $STATUS == 2 && $OUT == *"\"$ID\""* && $OUT == *', init, uid 0, ROOT: '* && -z $ERR ]]
}

@test "ps: a rewritten container is listed with --all only, and a root process that came past us is an alarm" {
  goes_on nonroot
  lists
  holds '. == []'
  lists --all
  holds 'length == 1 and (.[0] | .governed and .mode == "rewrite" and (.processes[0] | .uids == [65532] and (.host_root or .inner_root | not)))'
  bare exec --detach --user 0 "$ID" /bin/sleep 1000 3>&-
  lists
  holds 'length == 1 and (.[0] | .governed and (.why | startswith("it may NOT")) and (.processes | length == 1) and (.processes[0] | .role == "exec" and .host_root))'
}

@test "ps: mode off and mode audit are the reason, with their rule and their words" {
  policy <<<'mode = "off"
reason = "backup agent"'
  goes_on nonroot
  lists
  holds 'length == 1 and (.[0] | .governed and .mode == "off" and .reason == "backup agent" and (.why | test("mode off.*backup agent")))'
  policy <<<'mode = "audit"'
  fresh
  config '.process.args = ["/bin/sleep", "1000"] | .process.terminal = false'
  nonroot run --detach "$ID-2" </dev/null >/dev/null 2>&1 3>&-
  ID=$ID-2 lists
  holds 'length == 1 and (.[0] | .governed and .mode == "audit" and .why == "mode audit, by the general part of the policy" and .processes[0].host_root)'
}

@test "ps: what existing = \"leave\" leaves as it is has no record, and each process of it is listed" {
  goes_on bare
  policy <<<'existing = "leave"'
  nonroot exec --detach "$ID" /bin/sleep 2000 3>&-
  lists
  holds 'length == 1 and (.[0] | (.governed | not) and (.why | test("left no record")) and [.processes[].role] == ["init", "exec"] and all(.processes[]; .host_root))'
}

@test "ps: at a terminal, lines are no longer than it is wide; elsewhere they are in one piece" {
  local line
  config '.process.args = ["/bin/sh", "-c", "sleep 1000; exit", "a container has words", "that are of no use to anybody who looks for it"] |
    .process.terminal = false'
  bare run --detach "$ID" </dev/null >/dev/null 2>&1 3>&-
  succeeds env NO_COLOR=1 SHELL=/bin/bash script -qec "stty cols 80; $REPO/bin/nonroot-ctl ps --root $STATE" /dev/null </dev/null
  contains "\"$ID\""
  while IFS= read -r line; do
    line=${line%$'\r'}
    # A long word, as a path, stays in one piece.
    [[ ${#line} -le 80 || ! $line =~ [^\ ]\ [^\ ]+$ ]] || explain "$line"
  done <<<"$OUT"
  succeeds "$REPO/bin/nonroot-ctl" ps --root "$STATE"
  contains 'ROOT: "/bin/sh" "-c" "sleep 1000; exit" "a container has words" "that are of no use to anybody who looks for it"'
}
