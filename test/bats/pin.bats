#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# F16: who may call the engine has it write below /etc/nonroot-runc (docker create -v, docker cp), and no runtime is called. A
# policy that is pinned is then one by which nothing starts.

load helpers

setup() {
  setup_bundle
  POLICY=/etc/nonroot-runc/config.toml
  PIN=/etc/nonroot-runc.pin
  # The pin lies in /etc itself: what is written there is this test's alone.
  mkdir "$BATS_TEST_TMPDIR/etc"
  mount -t tmpfs tmpfs "$BATS_TEST_TMPDIR/etc"
  mkdir "$BATS_TEST_TMPDIR/etc/upper" "$BATS_TEST_TMPDIR/etc/work"
  mount -t overlay -o "lowerdir=/etc,upperdir=$BATS_TEST_TMPDIR/etc/upper,workdir=$BATS_TEST_TMPDIR/etc/work" overlay /etc
  rm -f "$PIN"
  mkdir -p /etc/nonroot-runc
}

teardown() {
  umount -l /etc "$BATS_TEST_TMPDIR/etc"
  end_containers
  rm -rf /var/lib/nonroot-runc/*
}

# nonroot goes by the policy of the default place.
nonroot() { "$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" --root "$STATE" --log "$BATS_TEST_TMPDIR/log.json" --log-format json "$@"; }

ctl() { "$REPO/bin/nonroot-ctl" "$@"; }

# behind_our_back is what docker cp leaves: a file of root's, in the place of the policy.
behind_our_back() {
  printf 'mode = "off"\nreason = "none"\n' >"$BATS_TEST_TMPDIR/evil"
  install -m 644 -o 0 -g 0 "$BATS_TEST_TMPDIR/evil" "$POLICY"
}

@test "F16: a policy that is replaced makes root; pinned, nothing starts by it" {
  policy <<<'identity.uid = 4567'
  runs probe
  shows 'nonroot(4567; 65532)' nonroot run "$ID"
  behind_our_back
  fresh
  runs probe
  shows root nonroot run "$ID-attacked"

  policy <<<'identity.uid = 4567'
  succeeds ctl policy pin
  sha256sum --check --strict --status "$PIN"
  [[ $(stat -c '%a %u' "$PIN") == '644 0' ]]
  fresh
  runs probe
  shows 'nonroot(4567; 65532)' nonroot run "$ID-pinned"
  behind_our_back
  fresh
  refused 'config.toml.*differs from the one pinned in "/etc/nonroot-runc.pin" .sha256 [0-9a-f]{12}, pinned [0-9a-f]{12}.*nonroot-ctl policy pin' nonroot run "$ID-new"
  refused 'differs from the one pinned' nonroot create "$ID-new"
  # Without it, the built-in policy would hold: in a weaker place than the administrator's refusals, say.
  rm "$POLICY"
  refused 'does not exist, but is pinned in' nonroot run "$ID-new"
}

@test "F16: exec into a rewritten container goes by a copy that has the pin, and by no other one" {
  policy <<<'identity.uid = 4567'
  detached nonroot
  succeeds ctl policy pin
  behind_our_back
  process '.args = ["probe"]'
  shows 'nonroot(4567; 65532)' nonroot exec --process "$PROCESS" "$ID"
  jq -e 'select(.level == "warning") | .msg | test("last good policy.*pinned")' "$BATS_TEST_TMPDIR/log.json"
  install -m 600 "$BATS_TEST_TMPDIR/evil" /var/lib/nonroot-runc/good/config.toml
  refused 'differs from the one pinned' nonroot exec --process "$PROCESS" "$ID"
}

@test "F16: a pin file that others can write, or that says something else, refuses" {
  policy <<<'identity.uid = 4567'
  succeeds ctl policy pin
  runs probe
  chmod 666 "$PIN"
  refused 'nonroot-runc.pin" can be written by others' nonroot run "$ID"
  chmod 644 "$PIN"
  echo '# pinned by hand' >>"$PIN"
  refused 'nonroot-runc.pin:2 is not a line in sha256sum' nonroot run "$ID"
  rm "$PIN"
  ln -s /dev/null "$PIN"
  refused 'symbolic link' nonroot run "$ID"
}

@test "F16: pinned is pinned again by policy apply, also after the attack; and the pin can be taken away" {
  policy <<<'identity.uid = 4567'
  succeeds ctl policy apply "$POLICY"
  succeeds ctl policy pin
  behind_our_back
  echo 'identity.uid = 5678' >"$BATS_TEST_TMPDIR/new.toml"
  says ctl policy apply "$BATS_TEST_TMPDIR/new.toml"
  [[ $STATUS == 0 && $OUT == *'differs from the one pinned'* && $OUT == *'pinned again'* ]] || explain "$OUT" "$ERR"
  [[ $(wc -l <"$PIN") == 1 ]]
  runs probe
  shows 'nonroot(5678; 65532)' nonroot run "$ID"
  [[ $(cat /var/lib/nonroot-runc/previous/config.toml) == "identity.uid = 4567" ]]
  says ctl policy pin --profile strict
  [[ $STATUS == 1 && $ERR == *'there is no "/etc/nonroot-runc/strict.toml" to pin'* ]]
  succeeds ctl policy pin --remove
  [[ ! -e $PIN ]]
  says ctl policy pin --remove
  [[ $STATUS == 1 && $ERR == *'is not pinned'* ]]
  policy <<<'identity.uid = 6789'
  fresh
  runs probe
  shows 'nonroot(6789; 65532)' nonroot run "$ID-free"
}

@test "F16: doctor says whether the policy is pinned" {
  policy <<<'identity.uid = 4567'
  pin_check() { says ctl doctor --json --binary "$REPO/bin/nonroot-runc" && jq -c '.[] | select(.name == "policy: pin")' <<<"$OUT"; }
  jq -e '.status == "warn" and (.hint | test("policy pin"))' <<<"$(pin_check)"
  succeeds ctl policy pin
  jq -e '.status == "ok"' <<<"$(pin_check)"
  behind_our_back
  jq -e '.status == "fail" and (.detail | test("differs from the one pinned"))' <<<"$(pin_check)"
}

@test "F16: no container has the pin file" {
  : >"$POLICY"
  succeeds ctl policy pin
  runs probe
  config '.mounts += [{destination: "/p", type: "bind", source: "/etc/nonroot-runc.pin", options: ["bind"]}]'
  refused 'own pins of policies, "/etc/nonroot-runc.pin"' nonroot run "$ID"
}

@test "policy pin has JSON" {
  printf 'home.size = "1g"\n' >/etc/nonroot-runc/config.toml
  succeeds "$REPO/bin/nonroot-ctl" policy pin --json
  jq -e '.file == "/etc/nonroot-runc/config.toml" and (.sha256 | length) == 64 and .pin == "/etc/nonroot-runc.pin"' <<<"$OUT" >/dev/null || explain 'pin'
  succeeds "$REPO/bin/nonroot-ctl" policy pin --remove --json
  jq -e '.sha256 == ""' <<<"$OUT" >/dev/null || explain 'unpin'
}
