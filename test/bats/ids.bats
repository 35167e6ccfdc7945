#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: uid and gid are never 0 (SECURITY.md A1, A4, A5). Through exec and restore it is exec.bats' matter.

load helpers

@test "A1: every spelling of uid 0 becomes the policy's identity" {
  local user
  for user in '{"uid":0,"gid":0}' '{}' null '{"uid":null,"gid":null}' '{"username":"root"}' '{"uid":0}' '{"gid":5}'; do
    fresh
    config --argjson user "$user" '.process.user = $user'
    # crun refuses some of them by itself; where it runs one, it runs it as root.
    only crun || bare_shows root
    nonroot_shows 'uid(65532) and (.Gid[0] != 0) and powerless and .Groups == []'
  done
}

@test "A1: no user at all" {
  config 'del(.process.user)'
  bare_shows root
  nonroot_shows nonroot
}

@test "A1: the init process on the host's side, with create and start" {
  detached bare
  status_shows root "$ID"
  fresh
  detached nonroot "$ID-2"
  status_shows nonroot "$ID-2"
}

@test "A4: 4294967295, which the kernel takes for leave it" {
  config '.process.user = {uid: 4294967295, gid: 4294967295}'
  ! only crun || bare_shows 'root and gid(0)'
  refused 4294967295 nonroot run "$ID"
}

@test "A4: ids that do not fit, and gids among them" {
  local user
  for user in '{"uid":4294967296,"gid":1000}' '{"uid":-1,"gid":1000}' '{"uid":1000,"gid":4294967295}' \
    '{"uid":1000,"gid":4294967296}' '{"uid":2147483648,"gid":1000}' \
    '{"uid":1000,"gid":1000,"additionalGids":[4294967295]}' '{"uid":1000,"gid":1000,"additionalGids":[4294967296]}'; do
    fresh
    config --argjson user "$user" '.process.user = $user'
    case $user in
      '{"uid":1000,"gid":4294967295}') ! only crun || bare_shows 'gid(0)' ;;
      '{"uid":2147483648,"gid":1000}') ! only crun || bare_shows '.Uid[3] == 2147483648' ;;
    esac
    never_root_as_1000 "$user"
  done
}

# An additional gid that cannot be may as well be dropped; nothing may run with it, or with 0.
never_root_as_1000() {
  says nonroot run "$ID"
  if [[ $STATUS == 0 ]]; then
    shows 'uid(1000) and (.Gid[0] != 0) and .Groups == []' cat "$BATS_TEST_TMPDIR/out" || explain "with $1"
  else
    [[ -z $OUT && -n $ERR ]] || explain "with $1"
  fi
}

@test "A5: a uid of another JSON type, which crun takes for 0" {
  local uid
  for uid in '"1000"' true '[1000]' '{}' 1000.5 '"0x3e8"'; do
    fresh
    config --argjson uid "$uid" '.process.user = {uid: $uid, gid: 1000}'
    case $uid in '"1000"' | true) ! only crun || bare_shows 'uid(0)' ;; esac
    refused 'uid' nonroot run "$ID"
  done
}

@test "A5: minus zero" {
  sed -i 's/"uid": 0/"uid": -0/' "$BUNDLE/config.json"
  ! only crun || bare_shows root
  refused 'uid' nonroot run "$ID"
}

@test "A5: noNewPrivileges of another JSON type, which crun takes for false" {
  local value
  for value in '"true"' 1 '[]'; do
    fresh
    config --argjson value "$value" '.process.user = {uid: 1000, gid: 1000} | .process.noNewPrivileges = $value'
    ! only crun || bare_shows '.NoNewPrivs == 0'
    refused 'noNewPrivileges' nonroot run "$ID"
  done
}

# So the fixed identity must be nobody's on the host, which `nonroot-ctl doctor` checks (doctor.bats).
@test "C3: files of the host's people, in a mount, are not the fixed identity's; a kept uid is who has it on the host" {
  local home=$BATS_TEST_TMPDIR/home
  mkdir "$home"
  printf 'private\n' >"$home/letter"
  chmod 600 "$home/letter"
  chown -R 1000:1000 "$home"
  reachable
  config --arg home "$home" '.mounts += [{destination: "/srv", type: "bind", source: $home, options: ["rbind"]}]'
  runs cat /srv/letter
  succeeds bare run "$ID"
  contains private
  says nonroot run "$ID"
  [[ $STATUS != 0 && $OUT == '' && $ERR == *'Permission denied'* ]] || explain 'expected a closed letter'
  config '.process.user = {uid: 1000, gid: 1000}'
  succeeds nonroot run "$ID"
  contains private
  # An administrator who does not want that bounds kept uids.
  policy <<<'identity.allowed_uids = ["100000-165535"]'
  fresh
  config --arg home "$home" '.process.user = {uid: 1000, gid: 1000} | .mounts += [{destination: "/srv", type: "bind", source: $home, options: ["rbind"]}]'
  runs cat /srv/letter
  says nonroot run "$ID"
  [[ $STATUS != 0 && $OUT == '' && $ERR == *'Permission denied'* ]] || explain 'expected a closed letter'
}
