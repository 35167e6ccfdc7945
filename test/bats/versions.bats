#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# An update while containers run: what the program before (hack/build-before) has created, the present one starts, enters, kills
# and deletes; and the other way round, as an update can be taken back.
#
# Where the history does not have the program before, what it has left in a bundle stands for it (test/bats/before).

load helpers

setup_file() {
  BEFORE=$("$BATS_TEST_DIRNAME/../../hack/build-before")
  export BEFORE
}

# before is the program before.
before() { "$BEFORE" "${NONROOT[@]:1}" "$@"; }

# has_before says that there is one to be called.
has_before() { [[ -n $BEFORE ]]; }

# created_before makes a container as the program before does; recorded_before with what one has left in its bundle.
created_before() {
  if has_before; then
    created before
  else
    recorded_before
  fi
}
recorded_before() {
  local file
  for file in config.json nonroot-passwd nonroot-group nonroot-asked.json; do
    sed "s|@BUNDLE@|$BUNDLE|g" "$REPO/test/bats/before/$file" >"$BUNDLE/$file"
  done
  sed "s|@ID@|$ID|; s|@DIGEST@|$(digest)|; s|@RUNTIME@|$RUNTIME_PATH|; s|@POLICY@|$POLICY|" \
    "$REPO/test/bats/before/nonroot-runc.json" >nonroot-runc.json
  chmod 600 config.json nonroot-asked.json nonroot-runc.json
  succeeds bare create "$ID"
}

digest() { sha256sum "$BUNDLE/config.json" | cut -d ' ' -f 1; }

# record_before is how test/bats/before was made: RUNTIME=runc NONROOT_RECORD=1 hack/bats test/bats/versions.bats
record_before() {
  local file
  mkdir -p "$REPO/test/bats/before"
  for file in config.json nonroot-passwd nonroot-group nonroot-asked.json; do
    sed "s|$BUNDLE|@BUNDLE@|g" "$BUNDLE/$file" >"$REPO/test/bats/before/$file"
  done
  sed "s|$ID|@ID@|; s|$(digest)|@DIGEST@|; s|$RUNTIME_PATH|@RUNTIME@|; s|$POLICY|@POLICY@|; s|\"start\":[0-9]*|\"start\":1|" \
    "$BUNDLE/nonroot-runc.json" >"$REPO/test/bats/before/nonroot-runc.json"
}

# lives TOOL: a container that was created is started, entered, killed and deleted by the tool, and is nobody's root.
lives() {
  local tool=$1
  succeeds "$tool" start "$ID"
  status_shows nonroot "$ID"
  # Who the container is the record tells, and nothing else.
  process '.user = {uid: 0, gid: 0, additionalGids: [0, 6]}'
  shows nonroot "$tool" exec --process "$PROCESS" "$ID"
  succeeds "$tool" exec --user 0 "$ID" probe
  process '.user = {uid: 4321, gid: 4321}'
  shows 'nonroot(4321; 4321)' "$tool" exec --process "$PROCESS" "$ID"
  [[ $("$tool" state "$ID" | jq -r .status) == running ]]
  succeeds "$tool" kill "$ID" KILL
  succeeds "$tool" delete --force "$ID"
  [[ ! -e $STATE/$ID ]]
}

# looked_at TOOL MODE: its own config.json no longer stands in the bundle, so that the gate of the tool goes by the kernel alone.
looked_at() {
  config '.hostname = "another"'
  succeeds "$1" start "$ID"
  status_shows nonroot "$ID"
}

@test "created by the program before" {
  created_before
  [[ -z ${NONROOT_RECORD:-} ]] || record_before
  lives nonroot
}

@test "created by the program before, by what it has left in the bundle" {
  recorded_before
  lives nonroot
}

@test "created by the present one, and the program before is put back" {
  has_before || return 0
  created nonroot
  lives before
}

@test "the record has all that the program before reads, by the same names and of the same kinds" {
  created nonroot
  jq -e --slurpfile before "$REPO/test/bats/before/nonroot-runc.json" '. as $now | $before[0] | length > 10 and
    (to_entries | all(.key as $key | (.value | type) == ($now[$key] | type)))' "$BUNDLE/nonroot-runc.json" ||
    explain "the record lacks what it had: $(<"$BUNDLE/nonroot-runc.json")"
}

@test "D7: the gate stops what the other one's record does not cover" {
  # The record of a config.json that was changed since is none, and the process is root's.
  created_before
  succeeds bare delete --force "$ID"
  fresh
  created bare
  refused 'uid|root' nonroot start "$ID"
  if has_before; then
    created_by_other
    refused 'uid|root' before start "$ID-2"
  fi
}
created_by_other() {
  fresh
  created nonroot "$ID-2"
  succeeds bare delete --force "$ID-2"
  fresh
  created bare "$ID-2"
}

@test "D7: one that was rewritten passes the other's gate by what the kernel shows, when its record is gone" {
  created_before
  rm "$BUNDLE/nonroot-runc.json"
  looked_at nonroot
  if has_before; then
    succeeds bare delete --force "$ID"
    fresh
    created nonroot
    rm "$BUNDLE/nonroot-runc.json"
    looked_at before
  fi
}

@test "exempt containers stay so across the change, either way" {
  has_before || return 0
  local one other
  for one in before nonroot; do
    other=nonroot
    [[ $one == before ]] || other=before
    fresh
    policy <<<'mode = "off"
reason = "a test"'
    created "$one"
    policy <<<''
    succeeds "$other" start "$ID"
    process .
    shows root "$other" exec --process "$PROCESS" "$ID"
    succeeds "$other" delete --force "$ID"
  done
}

@test "a bundle that the other one has rewritten is rewritten once" {
  has_before || return 0
  local one other
  for one in before nonroot; do
    other=nonroot
    [[ $one == before ]] || other=before
    fresh
    runs probe pause
    succeeds "$one" create "$ID"
    succeeds "$one" delete --force "$ID"
    cp "$BUNDLE/config.json" "$BATS_TEST_TMPDIR/first"
    # The newer one adds what it has learned since (adapt.emulate_ownership), and nothing else.
    [[ $other == before ]] || edit "$BATS_TEST_TMPDIR/first" '.linux.seccomp.syscalls += [{action: "SCMP_ACT_ERRNO", errnoRet: 0,
      names: ["chown", "chown32", "fchown", "fchown32", "fchownat", "lchown", "lchown32", "setgroups", "setgroups32"]}]'
    succeeds "$other" create "$ID"
    diff <(jq -S . "$BATS_TEST_TMPDIR/first") <(jq -S . "$BUNDLE/config.json")
    succeeds "$other" delete --force "$ID"
  done
}

@test "a range's ids are kept across the change" {
  has_before || return 0
  local was
  policy <<<"identity.range = \"100000-100999\"
state = \"$BATS_TEST_TMPDIR/leases\""
  created before
  was=$(jq .process.user.uid "$BUNDLE/config.json")
  succeeds before delete --force "$ID"
  fresh
  created nonroot
  [[ $(jq .process.user.uid "$BUNDLE/config.json") == "$was" && $was -ge 100000 ]]
}
