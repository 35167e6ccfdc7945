#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl explain: what it says is what the runtime does.

load helpers

# explains FILTER [OPTION...]: explain's JSON about the bundle satisfies the filter.
explains() {
  local filter=$1
  shift
  shows "$filter" "$REPO/bin/nonroot-ctl" explain --json --policy "$POLICY" "$@" "$BUNDLE"
}

# trips KIND WHERE REGEX: explain names this.
trips() {
  explains '.trips | any(.kind == "'"$1"'" and .where == "'"$2"'" and (.detail | test("'"$3"'")))'
}

# listing is the bundle's directory with everything in it, contents and times included.
listing() {
  find "$BUNDLE" -printf '%p %y %m %U:%G %s %T@ %C@\n' | sort
  find "$BUNDLE" -type f -exec sha256sum {} + | sort
}

@test "a dry run decides what create then decides, and writes nothing" {
  config '.process.user.additionalGids = [0, 6, 5000]'
  runs probe pause
  local before after
  before=$(listing)
  explains '.when == "before" and .asked.uid == 0 and .asked.groups == [0,6,5000] and .decided.mode == "rewrite"
    and .decided.identity == {uid: 65532, gid: 65532, groups: [5000]} and .decided.dropped_groups == [0,6]
    and .decided.source == "fixed" and .decided.rule == "default" and .decided.policy == "'"$POLICY"'"
    and .changes_partial == false'
  [[ $(listing) == "$before" ]]
  before=$(jq -S '[(.decided | .identity, .name, .home, .home_mounted, .dropped_groups, .source), .asked, .changes, .changes_partial]' <<<"$OUT")
  jq -r '.changes[] | select(.what == "mount") | .decided' <<<"$OUT" >"$BATS_TEST_TMPDIR/mounts"
  created nonroot
  explains '.when == "after" and .container == "'"$ID"'" and .decided.runtime == "'"$RUNTIME_PATH"'"
    and .asked.uid == 0 and .asked.groups == [0,6,5000]'
  after=$(jq -S '[(.decided | .identity, .name, .home, .home_mounted, .dropped_groups, .source), .asked, .changes, .changes_partial]' <<<"$OUT")
  [[ $before == "$after" ]]
  # The mounts that it spoke of are those of the new config.json.
  jq -r '.mounts[-4:][] | "\"\(.destination)\": \"\(.type)\" of \"\(.source)\", \"\(.options | join(","))\""' "$BUNDLE/config.json" |
    diff - "$BATS_TEST_TMPDIR/mounts"
  succeeds nonroot start "$ID"
  status_shows 'uid(65532) and gid(65532) and .Groups == [5000]' "$ID"
}

@test "every difference of config.json is named, and none is left over" {
  config '.annotations = {"run.oci.handler": "krun", "mine": "1"} | .process.env += ["USER=root"]'
  explains '[.changes[].what] == ["user", "additional groups", "effective capabilities", "permitted capabilities", "noNewPrivileges",
      "environment \"HOME\"", "environment \"USER\"", "environment \"LOGNAME\"", "mount", "mount", "mount", "mount",
      "seccomp", "seccomp \"chown\"", "seccomp \"chown32\"", "seccomp \"clone\"", "seccomp \"clone3\"", "seccomp \"fchown\"",
      "seccomp \"fchown32\"", "seccomp \"fchownat\"", "seccomp \"lchown\"", "seccomp \"lchown32\"", "seccomp \"setgroups\"",
      "seccomp \"setgroups32\"", "seccomp \"setns\"", "seccomp \"unshare\"",
      "sysctl \"net.ipv4.ip_unprivileged_port_start\"", "sysctl \"net.ipv4.ping_group_range\"",
      "annotation \"run.oci.handler\""]
    and (.changes[] | select(.what == "user") | .asked == "0:0" and .decided == "65532:65532")'
}

@test "a refusal is told before, in the words of the runtime" {
  policy <<<'mode = "refuse"'
  explains '.decided.mode == "refuse" and .changes == []'
  local reason
  reason=$(jq -r .decided.reason <<<"$OUT")
  refused 'asks for root' nonroot create "$ID"
  [[ ${ERR//$'\n'hint: /; hint: } == *"$reason"* ]] || explain "expected: $reason"
}

@test "a config.json that can't be read is a refusal, too" {
  config '.process.user.uid = -1'
  explains '.decided.mode == "refuse" and (.decided.reason | test("process.user.uid"))'
}

@test "an exempt container says so before and after" {
  policy <<<'mode = "audit"'
  explains '.when == "before" and .decided.mode == "audit" and .decided.identity.uid == 65532 and (.changes | length > 5)'
  created nonroot
  explains '.when == "after" and .decided.mode == "audit" and .changes == [] and (.answer | test("it runs as root .*; enforced, it would run as 65532:65532"))
    and any(.would_change[]; .what == "user" and .decided == "65532:65532")'
  succeeds "$REPO/bin/nonroot-ctl" explain --policy "$POLICY" "$BUNDLE"
  contains 'what would change in config.json if it were enforced'
  contains '~ user: 0:0 -> 65532:65532'
}

@test "without the config.json from before, the record says who was asked for" {
  created nonroot
  rm "$BUNDLE/nonroot-asked.json"
  explains '.when == "after" and .asked.uid == 0 and .asked.partial and .changes_partial
    and ([.changes[].what] == ["user", "additional groups", "mount", "mount", "mount", "mount"])'
}

@test "a second start keeps what was asked for at first" {
  succeeds nonroot create "$ID"
  succeeds nonroot delete --force "$ID"
  succeeds nonroot create "$ID"
  explains '.when == "after" and .asked.uid == 0 and .changes_partial == false and any(.changes[]; .what == "noNewPrivileges")'
  jq -e '.process.user.uid == 0' "$BUNDLE/nonroot-asked.json"
}

@test "the record of an earlier config.json counts for nothing" {
  created nonroot
  fresh
  explains '.when == "before" and .asked.uid == 0 and (.notes | any(test("earlier config.json")))'
}

@test "what a container may trip over" {
  install -d -m 700 "$ROOTFS/srv/app" "$BATS_TEST_TMPDIR/vol"
  install -m 4755 "$ROOTFS/bin/probe" "$ROOTFS/bin/suid"
  cp "$ROOTFS/bin/probe" "$ROOTFS/bin/capable"
  setcap cap_setuid+ep "$ROOTFS/bin/capable"
  install -m 700 "$ROOTFS/bin/probe" "$ROOTFS/bin/private"
  mkdir -p "$ROOTFS/srv/data"
  touch "$ROOTFS/root/.profile" "$ROOTFS/root/.netrc"
  config '.process.args = ["private", "--port", "80"] | .process.cwd = "/srv/app" | .process.env += ["DATA=/srv/data", "HTTP_PORT=443"]
    | .mounts += [{destination: "/vol", type: "bind", source: $v, options: ["rbind"]}]' --arg v "$BATS_TEST_TMPDIR/vol"
  mkdir "$ROOTFS/vol"
  trips entrypoint /bin/private 'not executable'
  trips workdir /srv/app 'be entered'
  trips directory /srv/data 'DATA'
  trips home /root '.netrc'
  policy <<<'adapt.low_ports = false'
  trips port 80 'below 1024'
  trips port 443 'HTTP_PORT'
  : >"$POLICY"
  trips setuid /bin/suid 'setuid file of uid 0'
  trips setuid /bin/capable 'capabilities'
  trips volume /vol "be read"
  # And it is true: the program that it says won't start does not.
  says nonroot run "$ID"
  [[ $STATUS != 0 ]]
}

@test "a container that trips over nothing" {
  touch "$ROOTFS/root/.profile" # as distributions have it
  config '.linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "0"} | .process.args = ["probe", "--port=80"]'
  explains '.trips == []'
  config 'del(.linux.sysctl)'
  explains '.trips == []'
  policy <<<'adapt.low_ports = false'
  explains '[.trips[].kind] == ["port"]'
  # In the host's network, the host's limit stays.
  : >"$POLICY"
  config '.linux.namespaces |= map(select(.type != "network"))'
  explains '[.trips[].kind] == ["port"]'
}

@test "what a home hides after creation" {
  created nonroot
  touch "$ROOTFS/home/nonroot/late"
  trips home /home/nonroot 'hides what the image has there: .*late'
}

@test "links of the image lead nowhere else" {
  ln -s /etc "$ROOTFS/srv/out"
  install -m 4755 "$ROOTFS/bin/probe" "$BATS_TEST_TMPDIR/outside"
  ln -s "$BATS_TEST_TMPDIR" "$ROOTFS/srv/host"
  ln -s "$BATS_TEST_TMPDIR/outside" "$ROOTFS/bin/outside"
  runs outside
  explains '[.trips[].kind] == ["entrypoint"]'
}

@test "nothing of a container's reaches the terminal as it is" {
  local esc=$'\e' csi=$'\xc2\x9b' name=$'\e[31mred'
  install -m 4755 "$ROOTFS/bin/probe" "$ROOTFS/bin/$name"
  config '.process.args = ["probe", $e + "[31m", $c] | .process.cwd = "/" + $e + "x" | .process.env += ["HOME=/" + $e + "]0;x", "P" + $e + "=/x", $e + "_PORT=80"]
    | .annotations = {("run.oci." + $c): $e} | .hostname = $e
    | .mounts += [{destination: ("/" + $e + "m"), type: "bind", source: ("/" + $e), options: ["ro", $e]}]' --arg e "$esc" --arg c "$csi"
  local form broken
  for broken in '.' '.annotations = {($e + "[31m"): 1}' '.process.env = [$e + "[31m", 1]' '.mounts = [{destination: ($e + "[31m"), options: 1}]'; do
    config "$broken" --arg e "$esc"
    for form in --json --docker-host=; do
      succeeds "$REPO/bin/nonroot-ctl" explain "$form" --policy "$POLICY" "$BUNDLE"
      [[ $broken != . || $OUT == *'[31m'* ]]
      [[ -z $(LC_ALL=C tr -d ' -~\n' <<<"$OUT$ERR") ]]
    done
  done
  says "$REPO/bin/nonroot-ctl" explain "$BUNDLE/${esc}[31m"
  [[ $STATUS == 1 && -z $(LC_ALL=C tr -d ' -~\n' <<<"$ERR") ]]
}

@test "what explain can't do, it says" {
  local ctl=$REPO/bin/nonroot-ctl
  refused 'takes one container' "$ctl" explain
  refused 'takes one container' "$ctl" explain --podman x "$BUNDLE"
  refused 'open bundle' "$ctl" explain "$BUNDLE/none"
  refused 'not a namespace and an id' "$ctl" explain --containerd ../../x
  refused 'no config.json in' "$ctl" explain --containerd-state "$BATS_TEST_TMPDIR" --containerd default/none
  printf 'mode = 5\n' >"$POLICY"
  refused 'policy.toml:1:' "$ctl" explain --policy "$POLICY" "$BUNDLE"
}

@test "a containerd task is found by its namespace and id" {
  local bundle=$BATS_TEST_TMPDIR/io.containerd.runtime.v2.task/default/$ID
  mkdir -p "$(dirname "$bundle")"
  mv "$BUNDLE" "$bundle"
  ln -s "$bundle" "$BUNDLE"
  cd "$bundle"
  runs probe pause
  succeeds nonroot create "$ID"
  shows '.when == "after" and .container == "'"$ID"'"' "$REPO/bin/nonroot-ctl" explain --json --containerd-state "$BATS_TEST_TMPDIR" --containerd "default/$ID"
}

@test "explain NAME: a running container is found by itself, the answer comes first, and what is ambiguous is refused" {
  local ctl=$REPO/bin/nonroot-ctl other=$ID-other
  rmdir "$STATE"
  STATE=/run/docker/runtime-nrt-$BASHPID/moby
  mkdir -p "$STATE"
  keeps_state "$STATE"
  install -m 4755 "$ROOTFS/bin/probe" "$ROOTFS/bin/su"
  install -m 4755 "$ROOTFS/bin/probe" "$ROOTFS/bin/own"
  runs probe pause
  created nonroot
  succeeds nonroot start "$ID"
  succeeds "$ctl" explain "$ID"
  [[ ${OUT%%$'\n'*} == 'it runs as 65532:65532 in place of root (0:0)' ]] || explain "$OUT"
  contains 'setuid "/bin/own"'
  contains "setuid: 1 program of the distribution's own, which no longer give root: su"
  shows '.when == "after" and .answer == "it runs as 65532:65532 in place of root (0:0)" and [.trips[].where] == ["/bin/own", "/bin/su"]' "$ctl" explain --json "$ID"
  refused 'no container of that name or id runs' "$ctl" explain "no-$ID"
  # What has ended, only the log tells of, if there is one.
  printf 'mode = "rewrite"\n' >"$POLICY"
  refused 'nothing is logged, so nothing tells why a container ended or was refused' "$ctl" explain --policy "$POLICY" "no-$ID"
  [[ $ERR == *'hint: '*'set log.file = "/var/log/nonroot-runc.log" in the policy'* ]] || explain "$ERR"
  printf 'log.file = "%s"\n' "$BATS_TEST_TMPDIR/log" >"$POLICY"
  refused "of one that ends at once, the log has the notes \(\"$BATS_TEST_TMPDIR/log" "$ctl" explain --policy "$POLICY" "no-$ID"
  [[ $ERR != *'nothing is logged'* ]] || explain "$ERR"
  printf 'log.journald = true\n' >"$POLICY"
  refused 'journalctl -t nonroot-runc' "$ctl" explain --policy "$POLICY" "no-$ID"
  succeeds "$ctl" explain --all
  [[ $OUT == *"\"$ID\" ("*'): it runs as 65532:65532 in place of root (0:0)'$'\n''  setuid "/bin/own"'*'running container'* && $OUT != */bin/su* ]] || explain "$OUT"
  shows 'any(.[]; .id == "'"$ID"'" and .report.when == "after" and .why == "")' "$ctl" explain --all --json
  refused 'takes no container' "$ctl" explain --all "$ID"
  # A directory of that name with a bundle in it may be meant, too.
  cd "$BATS_TEST_TMPDIR"
  ln -s "$BUNDLE" "$ID"
  refused "a bundle's directory, and a container's name" "$ctl" explain "$ID"
  succeeds "$ctl" explain "./$ID"
  rm "$ID"
  cd "$BUNDLE"
  bare delete --force "$ID"
  # One of the bare runtime runs as root, and that is what the answer says first.
  rm "$BUNDLE"/nonroot-*.json
  fresh
  created bare "$other"
  succeeds bare start "$other"
  succeeds "$ctl" explain "$other"
  [[ ${OUT%%$'\n'*} == 'NOT governed, it runs as root (0:0); created by nonroot-runc it would run as 65532:65532'* ]] || explain "$OUT"
}

@test "a refusal and a note lead to their rows of docs/troubleshooting.md, and so do a message's words" {
  local ctl=$REPO/bin/nonroot-ctl id
  policy <<<'mode = "refuse"'
  succeeds "$ctl" explain --policy "$POLICY" "$BUNDLE"
  id=$(sed -n 's/^ *see: docs\/troubleshooting.md#\(T[0-9]*\)$/\1/p' <<<"$OUT")
  grep -qF "<a id=\"$id\">$id</a>" "$REPO/docs/troubleshooting.md"
  refused 'asks for root' nonroot create "$ID"
  shows '.id == "'"$id"'"' "$ctl" explain --json --message "$ERR"
  succeeds "$ctl" explain --message "${id,,}"
  contains "means: the policy's mode is"
  contains "see:   docs/troubleshooting.md#$id"
  : >"$POLICY"
  install -m 700 "$ROOTFS/bin/probe" "$ROOTFS/bin/private"
  config '.process.args = ["private"]'
  succeeds "$ctl" explain --policy "$POLICY" "$BUNDLE"
  contains 'see: docs/troubleshooting.md#explain-entrypoint'
  refused 'no message with these words' "$ctl" explain --message 'all is well'
  refused 'takes no container' "$ctl" explain --message "$id" "$BUNDLE"
}

@test "at a terminal, lines are no longer than it is wide, but for what people copy; elsewhere they are in one piece" {
  local line explain="$REPO/bin/nonroot-ctl explain --policy $POLICY $BUNDLE"
  policy <<<'mode = "refuse"'
  succeeds env NO_COLOR=1 SHELL=/bin/bash script -qec "stty cols 60; $explain" /dev/null </dev/null
  while IFS= read -r line; do
    line=${line%$'\r'}
    # A long word, as a path, stays in one piece.
    [[ ${#line} -le 60 || $line =~ ^\ *(hint|see):\  || ! $line =~ [^\ ]\ [^\ ]+$ ]] || explain "$line"
  done <<<"$OUT"
  contains 'why: '
  # shellcheck disable=SC2086 # words
  succeeds $explain
  [[ $OUT =~ (^|$'\n')[^$'\n']{90,} ]] || explain "no line is long"
}
