#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# nonroot-ctl learn: what a container is denied, and the policy lines that would give it (docs/man/nonroot-ctl.8).

load helpers

setup() {
  setup_bundle
  RUNTIME_FLAG=$BATS_TEST_TMPDIR/nonroot
  printf '#!/bin/sh\nexec %s "$@"\n' "${NONROOT[*]@Q}" >"$RUNTIME_FLAG"
  chmod 755 "$RUNTIME_FLAG"
  LEARNED=$BATS_TEST_TMPDIR/learned
}
teardown() {
  end_containers
  unlayered
}

# little makes the policy one by which only what it names is given, and a denied call is denied: there is something to learn.
little() {
  local text
  text=$(grep -v -e '^adapt.applications' -e '^adapt.emulate_ownership' "$POLICY" || true)
  printf 'adapt.applications = false\nadapt.emulate_ownership = false\n%s\n' "$text" >"$POLICY"
}

learn() { little && succeeds "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" --runtime "$RUNTIME_FLAG" --output "$LEARNED" "$@" "$BUNDLE"; }

# learned FILTER judges what was learned.
learned() { jq -e "$@" "$LEARNED" >/dev/null || explain "$(<"$LEARNED")"; }

@test "a directory that is not given: with the line that is printed, the container works" {
  mkdir -p "$ROOTFS/export/app/logs" "$ROOTFS/export/app/data"
  echo 1 >"$ROOTFS/export/app/data/table"
  chmod 600 "$ROOTFS/export/app/data/table"
  runs sh -c 'echo log >/export/app/logs/log && echo 2 >>/export/app/data/table && echo served'
  layered
  learn
  lacks served
  fresh
  runs sh -c 'echo log >/export/app/logs/log; echo 2 >>/export/app/data/table && echo served'
  relayered
  learn --json
  learned '.findings | map(select(.kind == "directory") | .what) | sort == ["/export/app/data", "/export/app/logs"]'
  learned '.governed and (has("rule") | not) and (.late | not) and .ended and .status == "it ended with 1"'
  [[ $(uname -m) != x86_64 ]] || learned 'has("each_call") | not'
  learned '.policy == ["adapt.own = [\"/run\", \"/var/run\", \"/var/cache\", \"/var/lib\", \"/var/log\", \"/var/spool\", \"/data\", \"/opt\", \"/srv\", \"/root\", \"/export/app/data\", \"/export/app/logs\"]"]'
  jq -r '.policy[]' "$LEARNED" >"$POLICY"
  little
  fresh
  runs sh -c 'echo log >/export/app/logs/log && echo 2 >>/export/app/data/table && echo served'
  relayered
  learn --json
  contains served
  learned '.findings == [] and .policy == [] and .status == "it ended with 0"'
}

@test "a large file that the container has written before is given, one of the image's is not" {
  mkdir -p "$ROOTFS/export/app"
  head -c 100000 /dev/zero >"$ROOTFS/export/app/image"
  chmod 600 "$ROOTFS/export/app/image"
  runs sh -c 'cat /export/app/image /export/app/its >/dev/null; exit 3'
  layered
  head -c 100000 /dev/zero >"$ROOTFS/export/app/its"
  chmod 600 "$ROOTFS/export/app/its"
  learn --json
  learned 'any(.findings[]; .kind == "image" and .what == "/export/app/image" and (.why | test("never given")))'
  learned 'any(.findings[]; .kind == "directory" and .what == "/export/app" and .value == "/export/app")'
  learned '.policy | length == 1'
  jq -r '.policy[]' "$LEARNED" >"$POLICY"
  little
  fresh
  runs cat /export/app/its
  learn --json
  learned '.findings == [] and .status == "it ended with 0"'
}

@test "a directory that its owner may not write is given with that right" {
  mkdir -p "$ROOTFS/export/closed"
  chmod 555 "$ROOTFS/export/closed"
  runs sh -c 'echo x >/export/closed/x'
  layered
  learn --json
  learned 'any(.findings[]; .what == "/export/closed" and .value == "/export/closed")'
  jq -r '.policy[]' "$LEARNED" >"$POLICY"
  little
  fresh
  runs sh -c 'echo x >/export/closed/x'
  relayered
  learn --json
  learned '.findings == [] and .status == "it ended with 0"'
}

@test "what no line gives is told with its reason" {
  mkdir -p "$BATS_TEST_TMPDIR/host" "$ROOTFS/data" "$ROOTFS/etc/ssl"
  reachable
  echo key >"$ROOTFS/etc/ssl/key"
  chmod 600 "$ROOTFS/etc/ssl/key"
  config --arg host "$BATS_TEST_TMPDIR/host" '.mounts += [{destination: "/data", type: "bind", source: $host, options: ["rbind", "rw"]}]'
  echo key >"$BATS_TEST_TMPDIR/hosts"
  config --arg host "$BATS_TEST_TMPDIR/hosts" '.mounts += [{destination: "/etc/hosts", type: "bind", source: $host, options: ["rbind", "rw"]}]'
  runs sh -c 'cat /etc/ssl/key; echo x >/etc/hosts; echo x >/data/x; chown 1000 /tmp; exit 7'
  layered
  learn --json
  learned 'any(.findings[]; .kind == "image" and .what == "/etc/ssl" and (.why | test("never given")))'
  learned --arg host "$BATS_TEST_TMPDIR/host" 'any(.findings[]; .kind == "mount" and .what == "/data" and (.why | contains($host) and contains("chown 65532:65532")))'
  learned 'any(.findings[]; .kind == "mount" and .what == "/etc/hosts")'
  learned 'any(.findings[]; .kind == "privileged" and (.what | test("chown.* /tmp$")) and .by == ["chown"])'
  learned '.policy == [] and .status == "it ended with 7"'
}

@test "a bundle is given back as it was, also where its container was not made" {
  local was
  runs true
  was=$(cd "$BUNDLE" && sha256sum ./*.json && ls -l --time-style=+ --ignore=rootfs)
  learn
  [[ $(cd "$BUNDLE" && sha256sum ./*.json && ls -l --time-style=+ --ignore=rootfs) == "$was" ]] || explain "$(ls -l "$BUNDLE")"
  runs no-such-program
  was=$(cd "$BUNDLE" && sha256sum ./*.json && ls)
  refused 'create: exit status' "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" --runtime "$RUNTIME_FLAG" "$BUNDLE"
  [[ $(cd "$BUNDLE" && sha256sum ./*.json && ls) == "$was" ]] || explain "$(ls -l "$BUNDLE")"
}

@test "what adapt.own would not give has no line" {
  mkdir -p "$ROOTFS/usr/lib/app" "$ROOTFS/export/foreign" "$ROOTFS/var/lib/dpkg"
  ln -s usr/lib/app "$ROOTFS/app"
  chown 4000:4000 "$ROOTFS/export/foreign"
  runs sh -c 'for i in /app /export/* /var/lib/dpkg; do echo x >"$i/x"; done'
  layered
  learn --json
  learned '.governed and .policy == []'
  learned '[.findings[].what] | sort == ["/export/foreign", "/usr/lib/app", "/var/lib/dpkg"]'
  fresh
  config '.process.user.uid = 1000'
  runs sh -c 'echo x >/export/x'
  relayered
  learn --json
  learned '.policy == [] and any(.findings[]; .why | contains("runs as the user that it asks for"))'
}

@test "a path that no policy can name has no line: it would stop every container" {
  mkdir -p "$ROOTFS/export/"$'a\xffb'
  runs sh -c 'for i in /export/*; do echo x >"$i/x"; done'
  layered
  learn --json
  learned '.policy == [] and (.findings | length) == 1'
}

@test "the lines are for the rule that decided" {
  mkdir -p "$ROOTFS/export/app"
  runs sh -c 'echo x >/export/app/x'
  policy <<<$'[[rule]]\nname = "all"\nadapt.own = ["/data"]'
  layered
  learn --json
  learned '.rule == "all" and .policy == ["adapt.own = [\"/data\", \"/export/app\"]"]'
}

@test "another user, and a port" {
  runs sh -c 'httpd -u 1234 -p 8080; timeout 5 nc -l -p 80; :'
  policy <<<'adapt.low_ports = false'
  config '.linux.namespaces += [{type: "network"}] | .linux.namespaces |= unique_by(.type)'
  learn --json
  learned 'any(.findings[]; .kind == "identity" and .what == "groups" and .by == ["httpd"])'
  learned 'any(.findings[]; .kind == "port" and .what == "80")'
  learned '.policy == ["adapt.low_ports = true"]'
}

@test "the time is over: the container goes on, and is removed with its bundle's run" {
  runs sleep 60
  learn --for 1s
  grep -q 'it goes on' "$LEARNED" || explain "$(<"$LEARNED")"
  [[ -z $(ls "$STATE") ]] || explain "$(ls "$STATE")"
}

@test "what the container's own seccomp filter denies is seen" {
  runs sh -c 'mkdir /tmp/x; rmdir /etc; exit 3'
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["mkdir", "mkdirat"], action: "SCMP_ACT_ERRNO", errnoRet: 1}]}'
  learn --json
  learned 'any(.findings[]; .kind == "other" and (.what | test("^mkdir.* /tmp/x$")) and (.why | test("seccomp profile")))'
  learned '.status == "it ended with 3"'
}

@test "what is not a container is refused" {
  refused 'takes a command line' "$REPO/bin/nonroot-ctl" learn --policy "$POLICY"
  refused 'is not a command line that is known' "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" -- ls -l
  refused 'has no "run"' "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" -- docker ps
  refused 'leave out --cidfile' "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" -- docker run --cidfile x bb
}

@test "a creation that is broken off leaves no container and the bundle as it was" {
  local was slow=$BATS_TEST_TMPDIR/slow learner
  # A hook, or a program of the runtime's, may take its time once the container is there.
  printf '#!/bin/sh\n%s "$@" || exit\n[ "$1" != create ] || { touch %q; exec sleep 60; }\n' "$RUNTIME_FLAG" "$slow" >"$RUNTIME_FLAG-slow"
  chmod 755 "$RUNTIME_FLAG-slow"
  runs true
  was=$(sha256sum config.json)
  "$REPO/bin/nonroot-ctl" learn --policy "$POLICY" --runtime "$RUNTIME_FLAG-slow" "$BUNDLE" 3>&- &
  learner=$!
  await test -e "$slow"
  [[ $(containers) == nonroot-learn-* ]]
  kill "$learner"
  wait "$learner" || true
  [[ -z $(containers) ]] || explain "left: $(containers)"
  [[ $(sha256sum config.json) == "$was" ]]
}

@test "a home that is full names its size, and a passwd that can't be written says whose it is" {
  policy <<<'home.size = "1m"'
  local fills='head -c 1500000 /dev/zero >~/file; cat /etc/passwd >/tmp/p; cat /tmp/p >/etc/passwd; echo $(wc -c <~/file)'
  chmod 1777 "$ROOTFS/tmp"
  runs sh -c "$fills"
  learn --json
  contains 1048576
  learned 'any(.findings[]; .kind == "home" and .what == "/home/nonroot" and (.why | test("home.size = .1m., which is full")))'
  learned 'any(.findings[]; .kind == "mount" and .what == "/etc/passwd" and (.why | test("nonroot-runc mounts a copy there")))'
  learned '.policy == ["home.size = \"4m\""] and .home == "/home/nonroot" and .home_mounted'
  jq -r '.policy[]' "$LEARNED" >"$POLICY"
  little
  fresh
  runs sh -c "$fills"
  learn
  contains 1500000
  grep -qx 'home       "/home/nonroot" (a tmpfs of its own), where "/root" was asked for' "$LEARNED"
  run ! grep -q 'which is full' "$LEARNED"
}

@test "a home that moved is told, with why" {
  config '.process.env |= map(select(startswith("HOME=") | not)) + ["HOME=/site"]'
  mkdir "$ROOTFS/site"
  runs sh -c 'cat /site/none || true'
  learn
  grep -q 'HOME is not "/site", though it was asked for' "$LEARNED"
}

@test "it is never said that nothing was denied where more is known" {
  policy </dev/null
  runs sh -c '[ "$(id -u)" = 0 ] || { echo must be root; exit 1; }'
  learn
  contains 'must be root'
  grep -q 'checks for root and ends without it' "$LEARNED" || explain "$(<"$LEARNED")"
  grep -q 'nothing by the kernel: it ended with 1 by itself' "$LEARNED" || explain "$(<"$LEARNED")"
  fresh
  cp "$ROOTFS/bin/busybox" "$ROOTFS/bin/sudo"
  chmod 4755 "$ROOTFS/bin/sudo"
  runs sh -c 'ip link add dummy0 type dummy; /bin/sudo true; hostname box; exit 3'
  config '.process.capabilities |= map_values(. + ["CAP_NET_ADMIN"]) | .linux.namespaces |= (. + [{type: "network"}] | unique_by(.type))'
  learn --json
  learned 'any(.findings[]; .what == "ip (netlink)" and (.why | test("CAP_NET_ADMIN.*exemption")))'
  learned 'any(.findings[]; .what == "/bin/sudo" and (.why | test("is setuid, which has no effect")))'
  learned 'any(.findings[]; .what == "sethostname" and (.why | test("root would not have had here either.*--hostname")) and (.why | test("exemption") | not))'
  learned 'any(.notes[]; test("CAP_NET_ADMIN: asked for"))'
}

@test "what is locked in memory, a socket of somebody's, and a file that another writes" {
  local host=$BATS_TEST_TMPDIR/host
  mkdir "$host"
  reachable
  chmod 711 "$host"
  install -d -m 755 -o 1000 -g 1000 "$host/theirs"
  python3 -c 'import os, socket, sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1]); os.chmod(sys.argv[1], 0o600)' "$host/s"
  config --arg h "$host" '.mounts += [{destination: "/theirs", type: "bind", source: ($h + "/theirs"), options: ["rbind", "rw"]},
    {destination: "/run/s", type: "bind", source: ($h + "/s"), options: ["rbind", "rw"]}]'
  config '.process.rlimits = [{type: "RLIMIT_MEMLOCK", hard: 4096, soft: 4096}]'
  runs sh -c 'probe lock; probe dial /run/s; echo x >/theirs/x'
  learn --json
  learned 'any(.findings[]; .what == "mlock" and (.why | test("--ulimit memlock=-1")))'
  learned 'any(.findings[]; .kind == "mount" and .what == "/run/s" and .calls == ["connect"])'
  learned 'any(.findings[]; .what == "/theirs" and (.why | test("--user 1000:1000")) and (.why | test("chown") | not))'
}
