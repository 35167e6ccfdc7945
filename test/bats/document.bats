#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What the wrapper and the runtime could read differently in one document (SECURITY.md E1-E6).

load helpers

setup() {
  setup_bundle
  config '.process.user = {uid: 1000, gid: 1000}'
}

# The second process asks for root. Whole, as the reader that takes it may take nothing of the other one.
root_process() { jq -c '.process | del(.terminal)' "$REPO/test/bats/config.json"; }

# first KEY and last KEY add root's process under the key, spelled as JSON spells it.
first() { sed -i "1s|{|{ \"$1\": $(root_process | sed 's/[&|\\]/\\&/g'),|" config.json; }
last() { printf '%s, "%s": %s }\n' "$(sed '$ d' config.json)" "$1" "$(root_process)" >config.json; }

@test "E1: the key process twice" {
  last process
  ! only runc || bare_shows root
  refused 'process' nonroot run "$ID"
  fresh
  config '.process.user = {uid: 1000, gid: 1000}'
  first process
  ! only crun || bare_shows root
  refused 'process' nonroot run "$ID"
}

@test "E1: a key twice, deep inside" {
  # runc takes the last one, crun the first.
  sed -i 's/"uid": 1000,/"uid": 1000, "uid": 0,/' config.json
  ! only runc || bare_shows root
  refused 'uid' nonroot run "$ID"
  sed -i 's/"uid": 1000, "uid": 0,/"uid": 0, "uid": 1000,/' config.json
  ! only crun || bare_shows root
  refused 'uid' nonroot run "$ID"
}

@test "E2: a key that differs by case" {
  last Process
  ! only runc || bare_shows root
  refused 'Process' nonroot run "$ID"
  fresh
  config '.process.user = {uid: 1000, gid: 1000, UID: 0, Gid: 0}'
  ! only runc || bare_shows root
  refused 'UID|Gid' nonroot run "$ID"
  fresh
  config '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = true | .process.NoNewPrivileges = false'
  refused 'NoNewPrivileges' nonroot run "$ID"
}

@test "E2: in a map, keys that differ by case are data" {
  config '.annotations = {"Process": "a", "process": "b"}'
  nonroot_shows 'nonroot(1000; 1000)'
}

@test "E3: a key that folds to process, as a letter and as an escape" {
  last 'proceſs'
  ! only runc || bare_shows root
  refused 'ASCII' nonroot run "$ID"
  fresh
  config '.process.user = {uid: 1000, gid: 1000}'
  last 'proce\u017fs'
  ! only runc || bare_shows root
  refused 'ASCII' nonroot run "$ID"
}

@test "E4: a key with a NUL, which crun reads up to there" {
  first 'process\\u0000x'
  ! only crun || bare_shows root
  refused 'NUL' nonroot run "$ID"
  fresh
  config '.process.user = {uid: 1000, gid: 1000} | .annotations = {"run.oci.keep_original_groups\u0000x": "1"}'
  ! only crun || shows '.Groups | index(6)' setpriv --groups 0,6 "${BARE[@]}" run "$ID"
  refused 'NUL' nonroot run "$ID"
}

@test "E5: something after the document" {
  printf '{"process": {}}\n' >>config.json
  ! only runc || bare_shows 'uid(1000)'
  refused "more data after the end of the document" nonroot run "$ID"
  fresh
  printf '\0' >>config.json
  refused '.' nonroot run "$ID"
  fresh
  printf '/* a comment */\n' >>config.json
  refused '.' nonroot run "$ID"
}

@test "E5: no document, an empty file, another type" {
  local text
  for text in '' '[]' 'null' '"process"' '{' '{}'; do
    printf '%s' "$text" >config.json
    refused '.' nonroot run "$ID"
  done
}

@test "E6: what is not the wrapper's stays, to the letter" {
  sed -i '1s/{/{ "x-unknown": {"big": 9223372036854771712, "spelled": 1.50, "exp": 1e3, "text": "\\u00e9\\\/"},/' config.json
  nonroot_shows 'nonroot(1000; 1000)'
  local part
  for part in 9223372036854771712 1.50 1e3 '\u00e9\/'; do
    grep -qF -- "$part" config.json || explain "lost: $part"
  done
}

@test "twice rewritten is once rewritten" {
  nonroot_shows 'nonroot(1000; 1000)'
  cp config.json "$BATS_TEST_TMPDIR/once"
  nonroot_shows 'nonroot(1000; 1000)'
  cmp config.json "$BATS_TEST_TMPDIR/once"
}
