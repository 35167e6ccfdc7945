# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What both kits have, that of the runtime's tests and that of the engines': what a command said, and what is said of it.

# What tests may say of a process, in jq's words. Ids are lists of real, effective, saved and file system id.
JQ_DEFS='
def none: "0000000000000000";
def uid($n): .Uid == [$n,$n,$n,$n];
def gid($n): .Gid == [$n,$n,$n,$n];
def root: uid(0);
def powerless: .CapInh == none and .CapPrm == none and .CapEff == none and .CapAmb == none and .NoNewPrivs == 1;
def nonroot($u; $g): uid($u) and gid($g) and powerless and (.Groups | all(. != 0));
def nonroot: nonroot(65532; 65532) and .Groups == [];
'

# says COMMAND... runs it, leaving $OUT, $ERR and $STATUS; bats' own `run` would wait for a detached container that
# holds the pipe.
says() {
  STATUS=0
  "$@" >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" </dev/null 3>&- || STATUS=$?
  OUT=$(<"$BATS_TEST_TMPDIR/out")
  ERR=$(<"$BATS_TEST_TMPDIR/err")
}

# shows FILTER COMMAND... : the command succeeds, and what it printed (JSON of probe) satisfies the filter.
shows() {
  local filter=$1
  shift
  says "$@"
  if [[ $STATUS != 0 ]] || ! jq -e "$JQ_DEFS $filter" <<<"$OUT" >/dev/null; then
    explain "expected of: $*" "$filter"
    return 1
  fi
}

# succeeds and fails_with are for commands whose output is not JSON: fails_with STATUS COMMAND...
succeeds() { fails_with 0 "$@"; }
fails_with() {
  local want=$1
  shift
  says "$@"
  [[ $STATUS == "$want" ]] || {
    explain "expected status $want of: $*"
    return 1
  }
}

# contains TEXT: the last command's output has it. lacks TEXT: it does not.
contains() { [[ $OUT == *"$1"* ]] || explain "expected in the output: $1"; }
lacks() { [[ $OUT != *"$1"* ]] || explain "not expected in the output: $1"; }

explain() {
  printf '%s\n' "$@" "status: ${STATUS-}" "stdout: ${OUT-}" "stderr: ${ERR-}" >&2
  return 1
}

# status_of PID prints /proc/PID/status as probe would print it.
status_of() {
  awk '
    function list(  i, s) { for (i = 2; i <= NF; i++) s = s (i > 2 ? "," : "") $i; return "[" s "]" }
    { name = $1; sub(":", "", name) }
    name ~ /^(Uid|Gid|Groups)$/ { printf "%s\"%s\":%s", sep, name, list(); sep = "," }
    name ~ /^Cap/ { printf "%s\"%s\":\"%s\"", sep, name, $2; sep = "," }
    name ~ /^(NoNewPrivs|Seccomp)$/ { printf "%s\"%s\":%s", sep, name, $2; sep = "," }
    BEGIN { printf "{" } END { print "}" }' "/proc/$1/status"
}

# await COMMAND... waits until it succeeds, ten seconds at most.
await() {
  local i
  for ((i = 0; i < 500; i++)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.02
  done
  explain "gave up waiting for: $*"
}

# cannot_here REASON skips a test that this machine cannot run. In CI that is a failure.
cannot_here() {
  [[ -z ${NONROOT_REQUIRE_ALL:-} ]] || {
    printf 'cannot run here: %s\n' "$1" >&2
    return 1
  }
  skip "$1"
}
