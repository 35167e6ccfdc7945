#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: each decision is one whole line of the log, whatever becomes of the file; and no container is lost for want of
# a line, unless the policy says so.

load helpers

# The many containers take their time where the machine has few processors and other work.
setup_file() { export BATS_TEST_TIMEOUT=300; }

setup() {
  setup_bundle
  LOG=$BATS_TEST_TMPDIR/audit.log
  policy <<<"log.file = \"$LOG\""
}

# line N FILTER: the log's line N satisfies the filter.
line() {
  sed -n "$1p" "$LOG" | jq -e "$2" >/dev/null || explain "expected in line $1: $2" "$(cat "$LOG")"
}

# full_disk COMMAND... runs it where the log's directory is a tmpfs with room for a line and a half.
full_disk() {
  # shellcheck disable=SC2016 # $@ and $0 are the inner shell's.
  unshare --mount bash -c '
    mount -t tmpfs -o size=8k,mode=700 tmpfs /mnt
    head -c 3900 /dev/zero | tr "\0" x >/mnt/audit.log && echo >>/mnt/audit.log
    head -c 4k /dev/zero >/mnt/filler
    "$@" || exit
    cat /mnt/audit.log >"$0/full.log"
    rm /mnt/filler
    "${@:1:$#-1}" again
    cat /mnt/audit.log >"$0/after.log"' "$BATS_TEST_TMPDIR" "$@"
}

@test "log: create, start, exec and refusals" {
  detached nonroot
  line 1 '.event == "create" and .mode == "rewrite" and .from.uid == 0 and .to == {uid: 65532, gid: 65532} and .rule == "default" and .source == "fixed"'
  line 1 '.changed | index("user") and index("capabilities") and index("seccomp")'
  line 1 '.duration_us > 0 and .duration_us < 10000000 and (.time | test("^20..-..-..T..:..:..\\....Z$"))'
  line 2 '.event == "start" and .mode == "rewrite" and .to.uid == 65532'
  process '.args = ["probe"] | .user.uid = 0'
  shows nonroot nonroot exec --process "$PROCESS" "$ID"
  line 3 '.event == "exec" and .mode == "rewrite" and .from.uid == 0 and .to.uid == 65532 and .source == "container"'
  fresh
  config '.process.cwd = "/proc/self"'
  refused 'below /proc' nonroot run "$ID-2"
  line 4 '.event == "run" and .mode == "refuse" and (.reason | test("below /proc")) and .to == null'
  [[ $(jq -s "map(select(.id | startswith(\"$ID\"))) | length" "$LOG") == 4 && $(wc -l <"$LOG") == 4 ]]
  [[ $(stat -c '%a %u' "$LOG") == "640 0" ]]
}

@test "log: the gate's refusal, and what is exempt" {
  created bare
  says nonroot start "$ID"
  [[ $STATUS != 0 ]]
  line 1 '.event == "start" and .mode == "refuse" and (.reason | test("uid 0"))'
  policy <<<"mode = \"off\"
reason = \"ticket 4711\"
log.file = \"$LOG\""
  fresh
  shows root nonroot run "$ID-2"
  line 2 '.event == "run" and .mode == "off" and .from.uid == 0 and .reason == "ticket 4711"'
  policy <<<"mode = \"audit\"
log.file = \"$LOG\""
  shows root nonroot run "$ID-3"
  line 3 '.event == "run" and .mode == "audit" and .from.uid == 0 and .to.uid == 65532'
}

@test "log: a full disk loses lines, no containers, and spoils no later line" {
  policy <<<'log.file = "/mnt/audit.log"'
  full_disk "${NONROOT[@]}" --log "$BATS_TEST_TMPDIR/engine.json" --log-format json run "$ID"
  grep -q 'could not be logged.*full' "$BATS_TEST_TMPDIR/engine.json"
  # The half line is there, and the next one begins on its own.
  [[ $(tail -c 1 "$BATS_TEST_TMPDIR/full.log") != "" && $(wc -c <"$BATS_TEST_TMPDIR/full.log") == 4096 ]]
  tail -n 1 "$BATS_TEST_TMPDIR/after.log" | jq -e '.id == "again"'
}

@test "log: a full disk stops containers where the log is required" {
  policy <<<'log = { file = "/mnt/audit.log", required = true }'
  refused 'requires each decision to be logged.*only [0-9]+ of [0-9]+ bytes' full_disk "${NONROOT[@]}" run "$ID"
  policy <<<"log.file = \"$LOG\""
  detached nonroot
  policy <<<'log = { file = "/dev/full", required = true }'
  process '.args = ["probe"]'
  says nonroot exec --process "$PROCESS" "$ID"
  [[ $STATUS != 0 && -z $OUT && $ERR == *"not a regular file"* ]]
}

@test "log: fifty containers at a time, and a rotation in between" {
  local i pids=()
  for i in {1..50}; do
    mkdir -m 700 "$BATS_TEST_TMPDIR/b$i"
    jq -c --arg r "$ROOTFS" '.root.path = $r' config.json >"$BATS_TEST_TMPDIR/b$i/config.json"
    chmod 600 "$BATS_TEST_TMPDIR/b$i/config.json"
  done
  for i in {1..50}; do
    "${NONROOT[@]}" create --bundle "$BATS_TEST_TMPDIR/b$i" "$ID-$i" </dev/null >/dev/null 2>&1 3>&- &
    pids+=($!)
    [[ $i != 25 ]] || { await test -s "$LOG" && mv "$LOG" "$LOG.1"; }
  done
  wait "${pids[@]}"
  cat "$LOG.1" "$LOG" | grep . >"$BATS_TEST_TMPDIR/all"
  [[ $(wc -l <"$BATS_TEST_TMPDIR/all") == 50 ]]
  [[ $(jq -r .id "$BATS_TEST_TMPDIR/all" | sort -u | wc -l) == 50 ]]
  [[ $(containers | wc -l) == 50 ]]
}

@test "log: syslog and the journal get it, and a daemon that is not there loses no container" {
  policy <<<'log = { syslog = true, journald = true }'
  # shellcheck disable=SC2016 # $@ is the inner shell's.
  succeeds unshare --mount bash -c '
    mkdir -p /run/systemd && mount -t tmpfs tmpfs /run/systemd
    exec "$@"' sh "${NONROOT[@]}" --log "$BATS_TEST_TMPDIR/engine.json" --log-format json run "$ID"
  jq -e 'select(.level == "warning").msg | test("send to the journal: it does not exist")' "$BATS_TEST_TMPDIR/engine.json"
}

@test "log: lines that are lost are counted, and doctor and report say so" {
  local lost=/var/lib/nonroot-runc/lost
  rm -rf "$lost" # other tests have lost some
  policy <<<"log.file = \"$LOG\""
  runs probe
  succeeds nonroot run "$ID"
  [[ ! -e $lost ]]
  policy <<<'log.file = "/nowhere/decisions"'
  fresh
  runs probe
  # No container is lost for want of a line.
  shows nonroot nonroot run "$ID-2"
  grep -qE '^1 20[0-9T:.-]+Z append to "/nowhere/decisions"' "$lost"
  fresh
  config '.process.cwd = "/proc/self"'
  refused 'below /proc' nonroot run "$ID-3"
  grep -q '^2 ' "$lost"
  [[ $(stat -c '%a %u' "$lost") == '600 0' && $(wc -l <"$lost") == 1 ]]
  says "$REPO/bin/nonroot-ctl" report "$LOG"
  [[ $STATUS == 0 && $OUT == *'note: 2 lines could not be written on this machine, the last one on 20'*'append to "/nowhere/decisions"'* ]] || explain "$OUT"
  says "$REPO/bin/nonroot-ctl" report --json "$LOG"
  jq -e '.lost.count == 2' <<<"$OUT"
  says "$REPO/bin/nonroot-ctl" doctor --json --binary "$REPO/bin/nonroot-runc" --policy "$POLICY"
  jq -e '.[] | select(.name == "log: lost lines") | .status == "warn" and (.detail | test("^2 could not be written")) and (.hint | test("rm /var/lib/nonroot-runc/lost"))' <<<"$OUT"
  # A counter that can't be written holds nobody up.
  rm "$lost"
  mkdir "$lost"
  fresh
  runs probe
  shows nonroot nonroot run "$ID-4"
  rmdir "$lost"
}
