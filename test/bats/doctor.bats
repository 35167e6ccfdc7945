#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl doctor: it is content with what holds, and sees what does not.

load helpers

# The run has a mount namespace of its own (hack/bats): what is mounted here is not the machine's. The engines of the
# machine are hidden, and Podman's configuration names nonroot-runc.
setup() {
  setup_bundle
  printf 'runtimes = ["%s"]\n' "$RUNTIME_PATH" >"$POLICY"
  WORK=$BATS_TEST_TMPDIR/work
  BIN=$BATS_TEST_TMPDIR/bin
  mkdir -m 700 "$WORK" "$BIN" "$BATS_TEST_TMPDIR/containers"
  install -m 755 "$REPO"/bin/nonroot-{runc,ctl} "$BIN"
  printf '[engine]\nruntime = "nonroot"\n[engine.runtimes]\nnonroot = ["%s"]\n' "$BIN/nonroot-runc" >"$BATS_TEST_TMPDIR/containers/containers.conf"
  mount --bind "$BATS_TEST_TMPDIR/containers" /etc/containers
}

teardown() {
  local point
  for point in /etc/containers /etc/passwd /etc/subuid /etc/subgid; do umount "$point" 2>/dev/null || true; done
  end_containers
}

# doctor [OPTION...] runs it; BINARY is what it checks.
doctor() {
  says "$BIN/nonroot-ctl" doctor --json --binary "${BINARY:-$BIN/nonroot-runc}" --work-dir "$WORK" "$@"
}

# finds FILTER: the answer satisfies it. Whatever was found, nothing is left.
finds() {
  jq -e 'def check($n): .[] | select(.name | startswith($n));
    def is($n; $s): [check($n).status] | length > 0 and all(. == $s);
    '"$1" <<<"$OUT" >/dev/null || explain "expected: $1" || return
  [[ -z $(ls -A "$WORK") ]] || explain "left in the work directory: $(ls -A "$WORK")"
}

SELF_TEST='["uid", "gid", "groups", "capabilities", "no new privileges", "setuid, setgid, setgroups", "setuid file",
  "capability file", "clone(CLONE_NEWUSER)", "unshare(CLONE_NEWUSER)", "exec as uid 0"]'

@test "an installation that holds" {
  doctor --policy "$POLICY"
  [[ $STATUS == 0 ]] || explain 'expected success'
  finds 'is("binary"; "ok") and is("policy"; "ok") and is("next runtime"; "ok") and is("engines"; "ok")
    and is("podman: registered"; "ok") and is("podman: default"; "ok")
    and ([check("self-test: ").name[11:]] == '"$SELF_TEST"') and is("self-test"; "ok")
    and all(.[]; .status != "ok" or .hint == "") and all(.[]; .status == "ok" or .hint != "")'
}

@test "lines for people: a line a check, a hint below what is amiss, and the exit status" {
  succeeds "$BIN/nonroot-ctl" doctor --policy "$POLICY" --work-dir "$WORK"
  contains 'ok   self-test: uid: [65532 65532 65532 65532]'
  says "$BIN/nonroot-ctl" doctor --binary "$RUNTIME_PATH" --work-dir "$WORK"
  [[ $STATUS == 1 && $ERR =~ [0-9]+' of '[0-9]+' checks failed' ]]
  [[ $OUT =~ 'FAIL self-test: uid: [0 0 0 0]'$'\n''     hint: ' ]]
}

@test "a runtime that rewrites nothing fails every part of the self-test" {
  BINARY=$RUNTIME_PATH doctor
  [[ $STATUS == 1 ]]
  finds '([check("self-test: ").name[11:]] == '"$SELF_TEST"') and is("self-test"; "fail") and is("binary nonroot-runc"; "fail")'
}

# imposter FILTER is a runtime that edits config.json by the filter, and is no better than that.
imposter() {
  BINARY=$BATS_TEST_TMPDIR/imposter
  cat >"$BINARY" <<SCRIPT
#!/bin/bash
if [[ " \$* " == *" create "* ]]; then
  text=\$(jq '$1' config.json) && printf '%s' "\$text" >config.json
fi
exec $RUNTIME_PATH "\$@"
SCRIPT
  chmod 755 "$BINARY"
}

@test "a runtime that changes the ids alone" {
  imposter '.process.user = {uid: 65532, gid: 65532}'
  doctor
  [[ $STATUS == 1 ]]
  finds 'is("self-test: uid"; "ok") and is("self-test: gid"; "ok") and is("self-test: groups"; "ok")
    and is("self-test: no new privileges"; "fail") and is("self-test: setuid file"; "fail")
    and is("self-test: capability file"; "fail") and is("self-test: clone"; "fail") and is("self-test: unshare"; "fail")
    and is("self-test: exec as uid 0"; "fail")'
}

@test "a runtime that forgets user namespaces and exec" {
  imposter '.process.user = {uid: 65532, gid: 65532} | .process.noNewPrivileges = true
    | .process.capabilities |= {bounding, effective: [], permitted: []}'
  doctor
  [[ $STATUS == 1 ]]
  finds '[check("self-test").name] - [.[] | select(.status == "ok").name]
    == ["self-test: clone(CLONE_NEWUSER)", "self-test: unshare(CLONE_NEWUSER)", "self-test: exec as uid 0"]'
}

@test "a policy that exempts fails the self-test, and it says why" {
  printf 'mode = "audit"\n' >>"$POLICY"
  doctor --policy "$POLICY"
  [[ $STATUS == 1 ]]
  # One cause is one failure, which names what it let through.
  finds 'is("policy"; "warn") and ([.[] | select(.status == "fail" and (.name | test("self-test"))).name] == ["self-test"])
    and all(check("self-test"); (.hint | test("mode exempts")) and (.detail | test("mode is audit: [0-9]+ of [0-9]+ tries .*uid")))'
}

@test "where audit is meant, that nothing is enforced is a note; a broken runtime still fails" {
  printf 'mode = "audit"\n' >>"$POLICY"
  doctor --policy "$POLICY" --audit
  [[ $STATUS == 0 ]] || explain 'expected success'
  finds 'is("policy"; "note") and is("self-test"; "note") and all(check("self-test"); .detail | test("nothing is enforced"))'
  succeeds "$BIN/nonroot-ctl" doctor --policy "$POLICY" --work-dir "$WORK" --audit
  [[ $OUT =~ 'note policy: '.*$'\n''     hint: '.*[0-9]+' notes, '[0-9]+' warning'.*'0 failed' ]] || explain 'expected notes in front of what is ok'
  doctor --audit --policy "$POLICY" --binary "$RUNTIME_PATH"
  [[ $STATUS == 1 ]] || explain 'expected failure'
}

@test "a policy that refuses root is tried with and without it" {
  printf 'mode = "refuse"\n' >>"$POLICY"
  doctor --policy "$POLICY"
  [[ $STATUS == 0 ]] || explain 'expected success'
  finds 'is("self-test: refusal"; "ok") and all(check("self-test: uid"); .detail == "[1000 1000 1000 1000]") and is("self-test"; "ok")'
}

@test "a policy that can't be read" {
  printf 'mode = 5\n' >"$POLICY"
  doctor --policy "$POLICY"
  [[ $STATUS == 1 ]]
  finds 'all(check("policy"); .status == "fail" and (.detail | test("policy.toml:1:")))'
}

@test "a next runtime that is nonroot-runc itself, or a copy of it" {
  cp "$BIN/nonroot-runc" "$BIN/copy"
  printf 'runtimes = ["%s", "%s"]\n' "$BIN/nonroot-runc" "$BIN/copy" >"$POLICY"
  doctor --policy "$POLICY"
  [[ $STATUS == 1 ]]
  finds 'all(check("next runtime"); .status == "fail" and (.detail | test("is nonroot-runc itself.*is nonroot-runc itself")))'
}

@test "a program that others can change" {
  chmod 775 "$BIN/nonroot-runc"
  chgrp 1000 "$BIN/nonroot-runc"
  doctor --policy "$POLICY"
  [[ $STATUS == 1 ]]
  finds 'is("binary nonroot-runc"; "fail") and is("binary nonroot-ctl"; "ok")'
  chmod 755 "$BIN/nonroot-runc"
  chmod 777 "$BIN"
  doctor --policy "$POLICY"
  [[ $STATUS == 1 ]]
  finds 'is("binary nonroot-runc"; "fail") and is("binary nonroot-ctl"; "fail")'
}

@test "C3: an identity that somebody on the host has, as a user or among his subordinate ids" {
  local file
  { cat /etc/passwd && printf 'somebody:x:65532:100::/:/bin/sh\n'; } >"$BATS_TEST_TMPDIR/passwd"
  mount --bind "$BATS_TEST_TMPDIR/passwd" /etc/passwd
  doctor --policy "$POLICY"
  finds 'all(check("fixed identity"); .status == "warn" and (.detail | test("somebody")))'
  umount /etc/passwd
  printf '[[rule]]\nname = "a"\nmatch.engine = ["docker"]\nidentity = {uid = 100005, gid = 100005}\n' >>"$POLICY"
  for file in /etc/subuid /etc/subgid; do
    [[ -e $file ]] || continue
    printf 'else:100000:65536\n' >"$BATS_TEST_TMPDIR/sub"
    mount --bind "$BATS_TEST_TMPDIR/sub" "$file"
  done
  doctor --policy "$POLICY"
  finds 'is("fixed identity: rule \"a\""; "warn") and ([check("fixed identity").detail] | any(test("else")))
    and ([check("fixed identity") | select(.name == "fixed identity").status] == ["ok"])'
}

@test "no engine that uses it" {
  : >"$BATS_TEST_TMPDIR/containers/containers.conf"
  doctor --policy "$POLICY"
  [[ $STATUS == 1 ]]
  finds 'is("engines"; "fail") and is("podman: registered"; "warn")'
}

@test "a place where setuid files mean nothing is not a place for the test" {
  mkdir "$BATS_TEST_TMPDIR/nosuid"
  mount -t tmpfs -o nosuid tmpfs "$BATS_TEST_TMPDIR/nosuid"
  WORK=$BATS_TEST_TMPDIR/nosuid doctor --policy "$POLICY"
  umount "$BATS_TEST_TMPDIR/nosuid"
  [[ $STATUS == 1 ]]
  finds 'all(check("self-test"); .status == "fail" and (.detail | test("nosuid")))'
}

# user_doctor is what an ordinary user gets.
user_doctor() {
  says env HOME="$BATS_TEST_TMPDIR/home" XDG_CONFIG_HOME= setpriv --reuid 5001 --regid 5001 --clear-groups \
    "$BIN/nonroot-ctl" doctor --json --binary "$BIN/nonroot-runc"
}

@test "a policy that can't be read: doctor says by what exec goes meanwhile, and of when that is" {
  cp "$POLICY" /etc/nonroot-runc/config.toml
  "$BIN/nonroot-runc" --root "$STATE" run "$ID"
  [[ -s /var/lib/nonroot-runc/good/config.toml ]]
  printf 'mode = 5\n' >/etc/nonroot-runc/config.toml
  doctor
  [[ $STATUS == 1 ]]
  finds 'any(check("policy"); .status == "fail" and (.detail | test("exec into containers that were rewritten uses the last good copy.*/good/config.toml.*, of 20[0-9-]*T[0-9:]*Z")))'
  rm /var/lib/nonroot-runc/good/config.toml
  doctor
  finds 'any(check("policy"); .status == "fail" and (.detail | test("exec into containers is refused, too: ")))'
  rm /etc/nonroot-runc/config.toml
}

@test "a profile that exempts and logs nowhere is named; one that inherits the general log, or has its own, is not" {
  local profile=/etc/nonroot-runc/rootful.toml
  printf 'mode = "off"\nreason = "backup agent"\n' >"$profile"
  doctor --policy "$POLICY"
  finds 'is("profile \"rootful\": log"; "warn")'
  printf 'log.file = "%s"\n' "$BATS_TEST_TMPDIR/own.log" >>"$profile"
  doctor --policy "$POLICY"
  finds '[check("profile \"rootful\": log")] == [] and [.[] | select(.name == "profile \"rootful\"").status] == ["note"]'
  printf 'mode = "off"\nreason = "backup agent"\n' >"$profile"
  printf 'log.file = "%s"\n' "$BATS_TEST_TMPDIR/general.log" >/etc/nonroot-runc/config.toml
  doctor --policy "$POLICY"
  finds '[check("profile \"rootful\": log")] == [] and [.[] | select(.name == "profile \"rootful\"").status] == ["note"]'
  rm "$profile" /etc/nonroot-runc/config.toml
}

@test "an ordinary user: his own Podman's configuration counts, and a self-test that is not tried is no pass" {
  local home=$BATS_TEST_TMPDIR/home dir=$BIN
  while [[ $dir != /var/tmp && $dir != / ]]; do
    chmod o+rx "$dir"
    dir=${dir%/*}
  done
  rm "$BATS_TEST_TMPDIR/containers/containers.conf"
  install -d -o 5001 -g 5001 "$home/.config/containers"
  user_doctor
  [[ $STATUS == 1 ]]
  finds 'is("podman: registered"; "warn")'
  printf '[engine]\nruntime = "nonroot"\n[engine.runtimes]\nnonroot = ["%s"]\n' "$BIN/nonroot-runc" >"$home/.config/containers/containers.conf"
  user_doctor
  [[ $STATUS == 1 ]]
  finds 'is("podman: registered"; "ok") and is("podman: default"; "ok") and all(check("self-test"); .status == "fail" and (.detail | test("^not tried: .*needs root")))'
}

@test "both programs say which build they are, and it is one" {
  succeeds "$BIN/nonroot-ctl" version
  [[ $(awk '{ sub(/,$/, "", $2); print $2 }' <<<"$OUT" | sort -u | wc -l) == 1 && $(wc -l <<<"$OUT") == 2 && $OUT != *devel* ]] || explain 'expected one version'
}

@test "an interrupt leaves nothing" {
  BINARY=$BATS_TEST_TMPDIR/slow
  printf '#!/bin/bash\n[[ " $* " != *" create "* ]] || { touch %q; exec sleep 1000; }\nexec %q "$@"\n' "$BATS_TEST_TMPDIR/there" "$RUNTIME_PATH" >"$BINARY"
  chmod 755 "$BINARY"
  "$BIN/nonroot-ctl" doctor --json --binary "$BINARY" --work-dir "$WORK" >"$BATS_TEST_TMPDIR/answer" 2>/dev/null 3>&- &
  await test -e "$BATS_TEST_TMPDIR/there"
  [[ -n $(ls -A "$WORK") ]]
  kill -TERM $!
  STATUS=0
  wait $! || STATUS=$?
  OUT=$(<"$BATS_TEST_TMPDIR/answer")
  [[ $STATUS == 1 ]]
  finds 'is("self-test"; "fail")'
}

@test "at a terminal, FAIL and ok have colours, unless NO_COLOR is set; elsewhere nothing has" {
  succeeds "$BIN/nonroot-ctl" doctor --policy "$POLICY" --work-dir "$WORK"
  lacks $'\e['
  succeeds env TERM=xterm SHELL=/bin/bash script -qec "$BIN/nonroot-ctl doctor --policy $POLICY --work-dir $WORK" /dev/null </dev/null
  contains $'\e[32mok  '
  succeeds env TERM=xterm NO_COLOR=1 SHELL=/bin/bash script -qec "$BIN/nonroot-ctl doctor --policy $POLICY --work-dir $WORK" /dev/null </dev/null
  lacks $'\e[32m'
}
