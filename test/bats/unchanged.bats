#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promises: what is not root stays as it is, and nothing else changes (SECURITY.md A12): limits, umask, exit codes,
# terminals, hooks, environment.

load helpers

# same: both runtimes print and return the same for the bundle as it is.
same() {
  local out status
  cp config.json "$BATS_TEST_TMPDIR/config.before"
  says bare run "$ID"
  out=$OUT status=$STATUS
  install -m 600 "$BATS_TEST_TMPDIR/config.before" config.json
  says nonroot run "$ID"
  [[ $OUT == "$out" && $STATUS == "$status" ]] || explain "bare: status $status, $out"
}

as_1000='.process.user = {uid: 1000, gid: 1000}'

@test "an identity that is not root is kept" {
  config "$as_1000"
  bare_shows 'uid(1000) and gid(1000)'
  nonroot_shows 'nonroot(1000; 1000)'
}

# undo PART REPLACEMENT takes a promise out of $TEXT, where it has to be once.
undo() {
  [[ $TEXT == *"$1"* && ${TEXT#*"$1"} != *"$1"* ]] || explain "not there once: $1"
  TEXT=${TEXT/"$1"/"$2"}
}

# part FILTER FILE prints a part of the file as it is written there: without a blank.
part() { jq -ce "$1" "$2"; }

@test "config.json of who asks for a user and a group of its own: byte for byte, but for the promises; and the rootfs" {
  local before=$BATS_TEST_TMPDIR/before.json
  # But for the place of the home, which the runtime makes as it makes any that a mount has.
  owners() { find "$ROOTFS" ! -path "$ROOTFS/home" ! -path "$ROOTFS/home/nonroot" -printf '%p %U:%G %m %s %T@ %C@\n' | sort; }
  config '.process.user = {uid: 1000, gid: 1000, additionalGids: [2000]} | .process.cwd = "/tmp" | .process.env += ["A=b"]'
  # As engines write it, without blanks, and with what a parser would write in another way.
  jq -cj . config.json >"$before"
  sed -i 's/}$/,"future":{"Uid":0,"b":[1.50,15e-1,-0,9223372036854771712,"\\u00e9\\\/",{"x":null}]}}/' "$before"
  install -m 600 "$before" config.json
  owners >"$BATS_TEST_TMPDIR/owners"
  succeeds nonroot create "$ID"

  TEXT=$(cat config.json)
  undo "$(part .process.capabilities config.json)" "$(part .process.capabilities "$before")"
  undo ',"noNewPrivileges":true' ''
  undo '"HOME=/home/nonroot"' '"HOME=/root"'
  undo ',"USER=nonroot","LOGNAME=nonroot"' ''
  local file
  for file in passwd group; do
    undo ',{"destination":"/etc/'$file'","type":"bind","source":"'"$BUNDLE/nonroot-$file"'","options":["bind","ro","nosuid","nodev","noexec"]}' ''
  done
  undo ',{"destination":"/home/nonroot","type":"ramfs","source":"nonroot-home","options":["nosuid","nodev","noexec","mode=0700"]}' ''
  undo ',{"destination":"/home/nonroot","type":"tmpfs","source":"nonroot-home","options":["nosuid","nodev","mode=0700","uid=1000","gid=1000","size=256m"]}' ''
  undo ",\"sysctl\":$(part .linux.sysctl config.json)" ''
  undo ",\"seccomp\":$(part .linux.seccomp config.json)" ''
  [[ $TEXT == "$(cat "$before")" ]] || explain "$(diff <(cat "$before") <(printf '%s' "$TEXT"))"

  # Nothing of the image changes: no owner, mode, time or file.
  owners | diff "$BATS_TEST_TMPDIR/owners" -
}

@test "A12: rlimits, umask and the out-of-memory score" {
  config "$as_1000"' | .process.user.umask = 23 | .process.oomScoreAdj = 321
    | .process.rlimits = [{type: "RLIMIT_NOFILE", soft: 123, hard: 456}]'
  runs sh -c 'ulimit -n; ulimit -Hn; umask; cat /proc/self/oom_score_adj'
  same
  contains 123
  contains 321
}

@test "the environment, the working directory and the arguments" {
  config "$as_1000"' | .process.env += ["A=b c", "EMPTY="] | .process.cwd = "/tmp"'
  runs sh -c 'echo "$A|$EMPTY|$PWD|$#|$1"' name 'one two' ''
  same
}

@test "exit codes 0, 3, 126, 127, 137 of run" {
  local code
  config "$as_1000"
  for code in 0 3 126 127 137; do
    runs sh -c "exit $code"
    same
    [[ $STATUS == "$code" ]]
  done
}

@test "a process killed by a signal" {
  config "$as_1000"
  runs sh -c 'kill -KILL $$'
  same
}

@test "a program that is not there, and one that cannot be executed" {
  config "$as_1000"
  runs /no/such/program
  says bare run "$ID"
  local bare_status=$STATUS
  says nonroot run "$ID"
  [[ $STATUS == "$bare_status" && -n $ERR ]] || explain "bare: $bare_status"
  runs /etc/passwd
  says bare run "$ID"
  bare_status=$STATUS
  says nonroot run "$ID"
  [[ $STATUS == "$bare_status" && -n $ERR ]] || explain "bare: $bare_status"
}

@test "exit codes of exec" {
  local code
  detached nonroot
  for code in 0 3 126 127 137; do
    process --arg code "$code" '.args = ["sh", "-c", "exit " + $code]'
    fails_with "$code" nonroot exec --process "$PROCESS" "$ID"
  done
}

@test "stdin, stdout and stderr are the container's" {
  config "$as_1000"
  runs sh -c 'cat; echo to-stderr >&2'
  echo from-stdin | nonroot run "$ID" >"$BATS_TEST_TMPDIR/1" 2>"$BATS_TEST_TMPDIR/2"
  [[ $(<"$BATS_TEST_TMPDIR/1") == from-stdin && $(<"$BATS_TEST_TMPDIR/2") == to-stderr ]]
}

@test "a terminal: run" {
  config '.process.terminal = true'
  runs sh -c 'tty; id -u; stty size >/dev/null && echo has-size'
  succeeds on_tty bare run "$ID"
  contains /dev/pts/0
  succeeds on_tty nonroot run "$ID"
  contains /dev/pts/0
  contains 65532
  contains has-size
}

@test "a terminal: exec -t, and a process file that asks for one" {
  detached nonroot
  succeeds on_tty nonroot exec -t "$ID" sh -c 'tty; id -u'
  contains /dev/pts/0
  contains 65532
  process '.terminal = true | .args = ["sh", "-c", "tty; id -u"]'
  succeeds on_tty nonroot exec --process "$PROCESS" "$ID"
  contains /dev/pts/0
  contains 65532
}

@test "signals reach the container: kill, and one to the wrapper in the foreground" {
  detached nonroot
  # The kernel drops a signal that the first process does not catch yet.
  await catches_term "$(pid "$ID")"
  succeeds nonroot kill "$ID" TERM
  await stopped "$ID"
  runs sh -c 'trap "exit 42" TERM; echo ready; while :; do sleep 0.1; done'
  "${NONROOT[@]}" run "$ID-2" >"$BATS_TEST_TMPDIR/run.out" 2>&1 </dev/null 3>&- &
  local wrapper=$! status=0
  await grep -q ready "$BATS_TEST_TMPDIR/run.out"
  kill -TERM "$wrapper"
  wait "$wrapper" || status=$?
  [[ $status == 42 ]]
}

catches_term() { (((16#$(awk '/^SigCgt/ { print $2 }' "/proc/$1/status") >> 14) & 1)); }
stopped() { [[ $(bare state "$1" | jq -r .status) == stopped ]]; }

@test "state, list, ps, kill and delete are handed on, even with a broken policy" {
  detached nonroot
  policy <<<'this is no toml'
  shows '.status == "running"' nonroot state "$ID"
  succeeds nonroot list
  contains "$ID"
  succeeds nonroot kill "$ID" KILL
  await stopped "$ID"
  succeeds nonroot delete "$ID"
  [[ -z $(containers) ]]
}

@test "--version is the runtime's" {
  succeeds nonroot --version
  contains "$RUNTIME version"
}

@test "hooks run as the engine wants them" {
  config "$as_1000"' | .hooks.prestart = [{path: "/bin/sh", args: ["sh", "-c", "id -u > '"$BATS_TEST_TMPDIR"'/hook"]}]'
  nonroot_shows 'nonroot(1000; 1000)'
  [[ $(<"$BATS_TEST_TMPDIR/hook") == 0 ]]
}

# Left as they are, as whoever is not root, and has no capability, gets nothing by them.
@test "B13: paths that are not masked, a shared root, sysctls" {
  config 'del(.linux.maskedPaths, .linux.readonlyPaths) | .linux.rootfsPropagation = "shared" | .linux.sysctl = {"net.ipv4.ip_forward": "1"}
    | .linux.namespaces = (.linux.namespaces + [{type: "network"}] | unique_by(.type)) | .process.capabilities |= map_values(. + ["CAP_SYS_ADMIN"])'
  # The host's core_pattern is opened only.
  runs sh -c 'mount -t tmpfs tmpfs /srv && echo mounted; cat /proc/sys/net/ipv4/ip_forward; true >>/proc/sys/kernel/core_pattern && echo opened'
  says bare run "$ID"
  [[ $OUT == $'mounted\n1\nopened' ]] || explain "expected that root mounts, and opens what is the host's"
  says nonroot run "$ID"
  [[ $OUT == 1 && $ERR == *'core_pattern: Permission denied'* ]] || explain 'expected the sysctl alone'
  jq -e '.linux | .rootfsPropagation == "shared" and .sysctl["net.ipv4.ip_forward"] == "1" and .maskedPaths == null and .readonlyPaths == null' \
    config.json || explain 'expected them as they were'
}

@test "F14: an engine's init, which is mounted from the host, runs as the container does" {
  local init=$BATS_TEST_TMPDIR/docker-init
  printf '#!/bin/sh\nshift\n"$@"\n' >"$init"
  chmod 755 "$init"
  reachable
  config --arg init "$init" '.mounts += [{destination: "/sbin/docker-init", type: "bind", source: $init, options: ["bind", "ro"]}]'
  runs /sbin/docker-init -- probe
  bare_shows root
  nonroot_shows nonroot
}

@test "F14: the host's namespaces of processes, network and messages give no root, and nothing of its processes" {
  local pid
  sleep 1000 3>&- &
  pid=$!
  config '.linux.namespaces |= map(select(.type == "mount" or .type == "uts")) | .mounts |= map(select(.type != "sysfs"))'
  runs probe
  bare_shows root
  nonroot_shows nonroot
  fresh
  config '.linux.namespaces |= map(select(.type == "mount" or .type == "uts")) | .mounts |= map(select(.type != "sysfs"))'
  runs sh -c "kill -0 $pid && ls /proc/$pid/root/ && cat /proc/$pid/environ >/dev/null && echo reached"
  config '.process.capabilities |= map_values(. + ["CAP_SYS_PTRACE"])'
  succeeds bare run "$ID"
  contains reached
  says nonroot run "$ID"
  [[ $STATUS != 0 && $OUT != *reached* && $ERR == *'not permitted'* ]] || explain "expected nothing of the host's process"
  kill "$pid"
}

@test "F15: a pod's own container, as containerd asks for it" {
  config --slurpfile pod "$REPO/internal/spec/testdata/recorded/cri-sandbox.config.json" '
    .process.user = $pod[0].process.user | .process.capabilities = $pod[0].process.capabilities | .process.noNewPrivileges = $pod[0].process.noNewPrivileges
    | .annotations = $pod[0].annotations | del(.linux.seccomp)'
  jq -e '.annotations["io.kubernetes.cri.container-type"] == "sandbox"' config.json >/dev/null
  bare_shows 'root and .CapEff == "00000000a80425fb"'
  nonroot_shows nonroot
}
