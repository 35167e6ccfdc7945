#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: terminals, signals and exit statuses are the runtime's business, and are as without the wrapper, except that
# a terminal belongs to who the process is.

load helpers

setup_file() {
  CGO_ENABLED=0 go build -C "$BATS_TEST_DIRNAME/../console" -o "$BATS_FILE_TMPDIR/console" .
}

setup() {
  setup_bundle
  SCREEN=$BATS_TEST_TMPDIR/screen
  SOCKET=$BATS_TEST_TMPDIR/socket
  KEYS=$BATS_TEST_TMPDIR/keys
  CHILD=
}

teardown() {
  [[ -z $CHILD ]] || kill -KILL "$CHILD" || true
  end_containers
}

# What is run in a terminal: it says where it is, whose that is and how large, and uses it in each way. The size comes
# from the runtime, which sets it when the process is running already; so it may take a moment.
LOOK='tty; echo "owner=$(stat -c %u "$(tty)")"; echo "me=$(id -u)"; echo direct >/dev/tty; echo loud >&2
for i in 1 2 3 4 5 6 7 8 9 10; do size=$(stty size 2>/dev/null); test "$size" && break; sleep 0.1; done; echo "size=$size"
test -t 0 && test -t 1 && test -t 2 && echo all'

# looked UID [OWNER]: the last command's output is what LOOK prints for that user, in a terminal of his or of the owner's.
looked() {
  local text
  for text in /dev/pts/ "owner=${2:-$1}" "me=$1" direct loud all; do contains "$text" || return; done
}

# sized COMMAND... runs it in a new terminal of 33 lines and 111 columns.
sized() { on_tty sh -c 'stty rows 33 cols 111 && exec "$@"' sh "$@"; }

# background COMMAND... runs it without a terminal, and goes on. $SCREEN gets what it prints.
background() {
  : >"$SCREEN"
  "$@" </dev/null >"$SCREEN" 2>&1 3>&- &
  CHILD=$!
}

# keyboard COMMAND... runs it, and goes on. `type_in TEXT` is its input.
keyboard() {
  : >"$SCREEN"
  [[ -p $KEYS ]] || mkfifo "$KEYS"
  exec 8<>"$KEYS"
  "$@" <"$KEYS" >"$SCREEN" 2>&1 3>&- 8>&- &
  CHILD=$!
}

type_in() { printf '%b' "$1" >&8; }

# interrupt types Ctrl-C until it has an effect: one that comes before the runtime has made its own terminal raw is lost.
interrupt() { await interrupted; }
interrupted() {
  type_in '\003'
  grep -qF interrupted "$SCREEN"
}

# console stands for the engine at the other end of --console-socket "$SOCKET".
console() {
  keyboard "$BATS_FILE_TMPDIR/console" "$SOCKET"
  await test -S "$SOCKET"
}

shows_up() { await grep -qF -- "$1" "$SCREEN" || explain "expected on the screen: $1" "$(<"$SCREEN")"; }

# ends_with STATUS waits for what goes on.
ends_with() {
  local status=0
  wait "$CHILD" || status=$?
  CHILD=
  [[ $status == "$1" ]] || explain "expected the exit status $1, not $status" "screen: $(<"$SCREEN")"
}

@test "terminal: run has one that belongs to the identity, of the caller's size" {
  local size='size=33 111'
  if only crun; then size=$'size=\r'; fi # crun gives none to what it runs, only to what it execs
  config '.process.terminal = true'
  runs sh -c "$LOOK"
  succeeds sized "${BARE[@]}" run "$ID"
  looked 0
  contains "$size"
  succeeds sized "${NONROOT[@]}" run "$ID"
  looked 65532
  contains "$size"
}

@test "terminal: exec -t in the foreground" {
  # crun gives it to whom the container runs as, whoever exec asks for.
  local owner=1000 bare_owner=1000
  if only crun; then owner=65532 bare_owner=0; fi
  detached bare bare-"$ID"
  succeeds sized "${BARE[@]}" exec -t -u 1000:1000 bare-"$ID" sh -c "$LOOK"
  looked 1000 "$bare_owner"

  detached nonroot
  succeeds sized "${NONROOT[@]}" exec -t "$ID" sh -c "$LOOK"
  looked 65532
  contains 'size=33 111'
  succeeds sized "${NONROOT[@]}" exec --tty --user 0 "$ID" sh -c "$LOOK"
  looked 65532
  succeeds sized "${NONROOT[@]}" exec -t -u 1000:1000 "$ID" sh -c "$LOOK"
  looked 1000 "$owner"
}

@test "terminal: exec --process with a terminal in the foreground" {
  detached nonroot
  process '.terminal = true | .args = ["sh", "-c", $look]' --arg look "$LOOK"
  succeeds sized "${NONROOT[@]}" exec --process "$PROCESS" "$ID"
  looked 65532
  contains 'size=33 111'
}

@test "terminal: create with a console socket, as engines do; exec without -t has none" {
  config '.process.terminal = true'
  runs sh -c "$LOOK; read -r line; echo \"got \$line\"; exec sleep 1000"
  console
  succeeds nonroot create --console-socket "$SOCKET" "$ID"
  succeeds nonroot start "$ID"
  shows_up all
  OUT=$(<"$SCREEN")
  looked 65532
  type_in 'a line\n'
  shows_up 'got a line'
  succeeds nonroot exec "$ID" sh -c 'test -t 0 || test -t 1 || echo none'
  [[ $OUT == none ]]
}

@test "terminal: a detached exec with a console socket" {
  detached nonroot
  console
  succeeds nonroot exec -t -d --console-socket "$SOCKET" "$ID" sh -c "$LOOK; read -r line; echo \"got \$line\""
  type_in 'a line\n'
  shows_up 'got a line'
  ends_with 0
  OUT=$(<"$SCREEN")
  looked 65532
}

@test "terminal: a detached exec --process with a console socket, as engines do" {
  detached nonroot
  process '.terminal = true | .args = ["sh", "-c", $look]' --arg look "$LOOK; read -r line; echo \"got \$line\""
  console
  succeeds nonroot exec --process "$PROCESS" --detach --console-socket "$SOCKET" --pid-file "$BATS_TEST_TMPDIR/pid" "$ID"
  type_in 'a line\n'
  shows_up 'got a line'
  ends_with 0
  OUT=$(<"$SCREEN")
  looked 65532
  [[ -s $BATS_TEST_TMPDIR/pid ]]
}

# interruptible is a process that answers to a signal.
interruptible='trap "echo interrupted; exit 42" INT; trap "echo terminated; exit 43" TERM; echo ready
while :; do sleep 0.1; done'

@test "signals: Ctrl-C in a terminal reaches the process of run" {
  config '.process.terminal = true'
  runs sh -c "$interruptible"
  local tool
  for tool in BARE NONROOT; do
    local -n command=$tool
    SHELL=/bin/bash keyboard script -qec "${command[*]@Q} run $ID" /dev/null
    shows_up ready
    interrupt
    ends_with 42
    shows_up interrupted
  done
}

@test "signals: Ctrl-C in a terminal reaches the process of exec -t" {
  detached nonroot
  local tool
  for tool in BARE NONROOT; do
    local -n command=$tool
    SHELL=/bin/bash keyboard script -qec "${command[*]@Q} exec -t $ID sh -c ${interruptible@Q}" /dev/null
    shows_up ready
    interrupt
    ends_with 42
    shows_up interrupted
  done
}

@test "signals: the runtime's process passes SIGTERM and SIGINT on" {
  runs sh -c "$interruptible"
  local tool
  for tool in BARE NONROOT; do
    local -n command=$tool
    background "${command[@]}" run "$ID"
    shows_up ready
    kill -TERM "$CHILD"
    ends_with 43
    shows_up terminated
  done
  detached nonroot
  for tool in BARE NONROOT; do
    local -n command=$tool
    background "${command[@]}" exec "$ID" sh -c "$interruptible"
    shows_up ready
    kill -TERM "$CHILD"
    ends_with 43
    shows_up terminated
  done
}

@test "exit statuses: those of run are the runtime's" {
  install -m 644 /dev/null "$ROOTFS/bin/no-program"
  local status
  same_run_status true
  [[ $STATUS == 0 ]]
  for status in 3 126 127 137; do
    same_run_status sh -c "exit $status"
    [[ $STATUS == "$status" ]]
  done
  same_run_status /no/such/program
  [[ $STATUS != 0 ]]
  same_run_status /bin/no-program
  [[ $STATUS != 0 ]]
}

# same_run_status COMMAND... : the bare runtime's exit status, and its output, are the wrapper's.
same_run_status() {
  local bare err
  fresh
  runs "$@"
  says bare run "$ID"
  bare=$STATUS err=$ERR
  says nonroot run "$ID"
  [[ $STATUS == "$bare" && ($STATUS != 0 || $ERR == "$err") ]] || explain "expected status $bare of: $*"
}

@test "exit statuses: a process that is killed" {
  local tool
  for tool in bare nonroot; do
    fresh
    runs sh -c "$interruptible"
    background "$tool" run "$ID"
    shows_up ready
    succeeds "$tool" kill "$ID" KILL
    ends_with 137
  done
  detached nonroot
  for tool in bare nonroot; do
    says "$tool" exec "$ID" sh -c 'kill -KILL $$'
    [[ $STATUS == 137 ]]
    says "$tool" exec "$ID" sh -c 'kill -TERM $$'
    [[ $STATUS == 143 ]]
  done
}

@test "exit statuses: those of exec are the runtime's" {
  install -m 644 /dev/null "$ROOTFS/bin/no-program"
  detached nonroot
  local status
  same_exec_status true
  [[ $STATUS == 0 ]]
  for status in 3 126 127 137; do
    same_exec_status sh -c "exit $status"
    [[ $STATUS == "$status" ]]
  done
  same_exec_status /no/such/program
  [[ $STATUS != 0 ]]
  same_exec_status /bin/no-program
  [[ $STATUS != 0 ]]
}

same_exec_status() {
  local bare
  says bare exec "$ID" "$@"
  bare=$STATUS
  says nonroot exec "$ID" "$@"
  [[ $STATUS == "$bare" ]] || explain "expected status $bare of: $*"
}
