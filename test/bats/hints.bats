#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Why a container is likely to fail without root: a note in its record and in the log's entry of its creation.

load helpers

teardown() {
  end_containers
  unlayered
}

# hinted TEXT: the record and the log have the note; none where no text is given.
hinted() {
  local notes
  notes=$(jq -c '.notes // [] | map(select(startswith("its program")))' "$BUNDLE/nonroot-runc.json")
  if [[ $# == 0 ]]; then
    [[ $notes == '[]' ]] || explain "expected no note: $notes"
    return
  fi
  [[ $notes == *"$1"* ]] || explain "expected a note with $1: $notes"
  grep -F -- "${1:0:60}" "$LOG" >/dev/null || explain "expected it in the log: $(<"$LOG")"
}

# starts creates the container, and removes it: what it does there is not the matter.
starts() {
  LOG=$BATS_TEST_TMPDIR/decisions.log
  : >"$LOG"
  policy <<<"log.file = \"$LOG\""
  fresh
  config "${WITH:-.}"
  runs "$@"
  says nonroot run "$ID"
}

@test "a setuid program, one that is root's alone, and what is neither" {
  install -m 4755 "$ROOTFS/bin/busybox" "$ROOTFS/bin/sudo"
  install -m 700 "$ROOTFS/bin/busybox" "$ROOTFS/bin/mine"
  starts sudo id
  hinted 'its program \"/bin/sudo\" is setuid'
  starts /bin/sudo id
  hinted 'its program \"/bin/sudo\" is setuid'
  starts mine
  hinted 'its program \"/bin/mine\" can'
  starts sh -c 'id -u'
  hinted
  starts none-such
  hinted
  # What can't be run by anybody is passed over on the way through PATH.
  mkdir -p "$ROOTFS/usr/local/sbin" "$ROOTFS/usr/local/bin/served"
  install -m 644 "$ROOTFS/bin/busybox" "$ROOTFS/usr/local/sbin/served"
  install -m 755 "$ROOTFS/bin/busybox" "$ROOTFS/bin/served"
  starts served
  hinted
  install -m 700 "$ROOTFS/bin/busybox" "$ROOTFS/bin/served"
  starts served
  hinted 'its program \"/bin/served\" can'
}

@test "an entrypoint that becomes another user" {
  printf '#!/bin/sh\n# sudo is not called\nset -e\nif true; then exec gosu app "$@"; fi\n' >"$ROOTFS/entrypoint.sh"
  printf '#!/bin/sh\n# sudo is not called; nor is pseudo\nexec pseudo "$@"\n' >"$ROOTFS/plain.sh"
  chmod 755 "$ROOTFS/entrypoint.sh" "$ROOTFS/plain.sh"
  starts /entrypoint.sh server
  hinted 'calls gosu, which only root can use to switch users'
  starts sh -c 'cd / && exec su-exec app id'
  hinted 'calls su-exec'
  starts /plain.sh
  hinted
  # Those that ask before work.
  printf '#!/bin/sh\nif [ "$1" = server ] && [ "$(id -u)" = 0 ]; then exec gosu app "$0" "$@"; fi\nexec "$@"\n' >"$ROOTFS/entrypoint.sh"
  starts /entrypoint.sh id
  hinted
  starts sh -c '[ "$UID" != 0 ] || exec su-exec app id'
  hinted
  # Those that take a uid from outside, or print who they are, do not ask.
  starts sh -c 'X=${UID:-1000}; exec su-exec app id'
  hinted 'calls su-exec'
  starts sh -c 'X=${UID_ENV:-1}; exec su-exec app id'
  hinted 'calls su-exec'
  starts sh -c 'echo whoami; exec su-exec app id'
  hinted 'calls su-exec'
  # A number sign within a word begins no comment, and not every mention is a call.
  printf '#!/bin/sh\nif [ "$#" -gt 0 ] && [ "$(id -u)" = 0 ]; then\n  exec gosu app "$@"\nfi\nexec "$@"\n' >"$ROOTFS/entrypoint.sh"
  starts /entrypoint.sh id
  hinted
  starts sh -c '((EUID == 0)) && exec gosu app id'
  hinted
  starts sh -c 'test -w /data || { echo "try: sudo chown me /data" >&2; exit 1; }'
  hinted
  starts sh -c 'echo ${#} && exec gosu app id'
  hinted 'calls gosu'
  # It is too late to ask.
  starts sh -c $'su-exec app true\nwhoami'
  hinted 'calls su-exec'
  printf '#!/bin/sh\n# sudo is not called\nset -e\nif true; then exec gosu app "$@"; fi\n' >"$ROOTFS/entrypoint.sh"
  # An image that names its own user is not hinted at.
  fresh
  runs /entrypoint.sh
  config '.process.user = {uid: 1000, gid: 1000}'
  says nonroot run "$ID"
  hinted
}

@test "programs that are for root by design, and scripts that install packages" {
  local name
  for name in sshd crond cron apt-get; do install -m 755 "$ROOTFS/bin/busybox" "$ROOTFS/srv/$name"; done
  starts /srv/sshd -D -e
  hinted 'its program \"/srv/sshd\" logs people in as other users, which only root can'
  starts /srv/cron -f
  hinted 'runs jobs as other users, which only root can'
  ln -s cron "$ROOTFS/srv/server"
  starts /srv/server
  hinted
  starts /srv/apt-get install -y curl
  hinted 'its program \"/srv/apt-get\" installs packages, which only root can'
  starts sh -c 'apt-get update && apt-get install -y curl && exec server'
  hinted 'its program \"sh\" calls apt-get, which installs packages, and only root can'
  starts sh -c 'if [ "$(id -u)" = 0 ]; then apt-get install -y curl; fi; exec server'
  hinted
  starts sh -c 'echo cron; exec server'
  hinted
}

@test "what is not a file of the image's is not opened" {
  mkfifo -m 755 "$ROOTFS/fifo"
  ln -s /etc/../../../../dev/zero "$ROOTFS/zero"
  mkdir "$ROOTFS/directory"
  for program in /fifo /zero /directory /fifo/x ../../../bin/sh; do
    starts "$program"
    hinted
  done
}

@test "behind an init, and a program that is for becoming another user" {
  local name
  printf '#!/bin/sh\nexec gosu app "$@"\n' >"$ROOTFS/entrypoint.sh"
  chmod 755 "$ROOTFS/entrypoint.sh"
  for name in tini dumb-init docker-init; do cp "$ROOTFS/bin/busybox" "$ROOTFS/bin/$name"; done
  starts tini -- /entrypoint.sh server
  hinted 'calls gosu'
  starts /bin/tini -g -p SIGTERM /entrypoint.sh server
  hinted 'calls gosu'
  starts docker-init -- dumb-init -v sh -c 'exec sudo id'
  hinted 'calls sudo'
  starts tini -- sh -c 'id -u'
  hinted
  starts tini -p
  hinted
  cp "$ROOTFS/bin/busybox" "$ROOTFS/bin/gosu"
  starts dumb-init gosu app id
  hinted 'its program \"/bin/gosu\" switches from root to another user'
}

# noted TEXT: the record and the log say so; unsaid TEXT: they do not.
noted() {
  jq -e --arg t "$1" '.notes // [] | any(contains($t))' "$BUNDLE/nonroot-runc.json" >/dev/null || explain "expected a note with $1: $(<"$BUNDLE/nonroot-runc.json")"
  grep -F -- "$1" "$LOG" >/dev/null || explain "expected it in the log: $(<"$LOG")"
}
unsaid() { ! grep -F -- "$1" "$LOG" "$BUNDLE/nonroot-runc.json" || explain "not expected: $1"; }

@test "a working directory that is not the identity's" {
  local mode edit
  mkdir -p "$ROOTFS/export/app"
  LOG=$BATS_TEST_TMPDIR/decisions.log
  policy <<<"log.file = \"$LOG\""
  printf 'adapt.working_directory = false\nadapt.applications = false\n' >>"$POLICY"
  for mode in 0700 0755; do
    fresh
    chmod "$mode" "$ROOTFS/export/app"
    config '.process.cwd = "/export/app"'
    runs sh -c 'echo x >state'
    says nonroot run "$ID"
    [[ $STATUS != 0 && $ERR == *'ermission denied'* ]] || explain 'expected that it fails'
    noted "the identity can't write to its working directory"
    noted "(0:0 $mode)"
  done
  # Where it can write, or nobody could, or it is who it asked for, there is nothing to say.
  : >"$LOG"
  for edit in '.process.cwd = "/tmp"' '.root.readonly = true' '.process.user = {uid: 1000, gid: 1000}' '.process.cwd = "/"'; do
    fresh
    config '.process.cwd = "/export/app"'
    config "$edit"
    runs true
    chmod 1777 "$ROOTFS/tmp"
    succeeds nonroot run "$ID"
    unsaid 'working directory'
  done
}

@test "ports of the host's network" {
  LOG=$BATS_TEST_TMPDIR/decisions.log
  policy <<<"log.file = \"$LOG\""
  config '.linux.namespaces |= map(select(.type != "network"))'
  runs httpd -f -p 127.0.0.1:80
  says timeout 20 "${NONROOT[@]}" run "$ID"
  [[ $STATUS != 0 && $ERR == *'ermission denied'* ]] || explain 'expected that it fails'
  noted "ports below $(</proc/sys/net/ipv4/ip_unprivileged_port_start) stay root's"
  : >"$LOG"
  fresh
  config '.linux.namespaces = (.linux.namespaces + [{type: "network"}] | unique_by(.type))'
  runs true
  succeeds nonroot run "$ID"
  unsaid 'ports below'
  fresh
  config '.linux.namespaces |= map(select(.type != "network")) | .process.user = {uid: 1000, gid: 1000}'
  runs true
  succeeds nonroot run "$ID"
  unsaid 'ports below'
}

# binds SOURCE DESTINATION OPTION... mounts what a person names.
binds() {
  config --arg from "$1" --arg to "$2" '.mounts += [{destination: $to, type: "bind", source: $from, options: (["rbind"] + $ARGS.positional)}]' --args -- "${@:3}"
}

# held sets up a log, and a directory HOST of the host's that containers can reach.
held() {
  LOG=$BATS_TEST_TMPDIR/decisions.log
  : >"$LOG"
  policy <<<"log.file = \"$LOG\""
  HOST=$BATS_TEST_TMPDIR/host
  mkdir -p "$HOST"
  reachable
}

@test "bind mounts that are closed to the identity are named with what helps" {
  held
  echo s3cret >"$HOST/pw"
  chmod 0400 "$HOST/pw"
  install -d -m 700 -o 1000 -g 1000 "$HOST/home"
  echo mine >"$HOST/home/file"
  chown 1000:1000 "$HOST/home/file"
  binds "$HOST/pw" /run/secrets/pw ro
  binds "$HOST/home" /export/home rw
  runs sh -c 'cat /run/secrets/pw; cat /export/home/file'
  succeeds bare run "$ID"
  contains s3cret
  contains mine
  says nonroot run "$ID"
  [[ $STATUS != 0 && $ERR == *'ermission denied'* ]] || explain 'expected that it fails'
  noted '/run/secrets/pw'
  noted "can't be read"
  noted 'chgrp 65532'
  noted '/export/home'
  noted '--user 1000:1000'
  unsaid 'chown 65532:65532 '
  # The engine's own log has it, too, and mode audit says it before it is so.
  fresh
  binds "$HOST/home" /export/home rw
  runs true
  succeeds nonroot --log "$BATS_TEST_TMPDIR/engine.json" --log-format json run "$ID"
  jq -e 'select(.level == "warning") | .msg | contains("/export/home") and contains("--user 1000:1000")' "$BATS_TEST_TMPDIR/engine.json"
  fresh
  binds "$HOST/home" /export/home rw
  runs true
  printf 'mode = "audit"\n' >>"$POLICY"
  succeeds nonroot run "$ID"
  noted '/export/home'
  sed -i /audit/d "$POLICY"
  # The remedy is one.
  fresh
  binds "$HOST/home" /export/home rw
  config '.process.user = {uid: 1000, gid: 1000}'
  runs cat /export/home/file
  succeeds nonroot run "$ID"
  contains mine
  fresh
  chgrp 65532 "$HOST/pw"
  chmod g+r "$HOST/pw"
  : >"$LOG"
  binds "$HOST/pw" /run/secrets/pw ro
  runs cat /run/secrets/pw
  succeeds nonroot run "$ID"
  contains s3cret
  unsaid "can't be read"
}

@test "bind mounts that can't be written are named once where they are alike, and none that is to be read" {
  local name
  held
  for name in a b c; do
    mkdir "$HOST/$name"
    echo x >"$HOST/$name/x"
    binds "$HOST/$name" "/export/$name" rw
  done
  runs sh -c 'echo y >/export/a/y'
  says nonroot run "$ID"
  [[ $STATUS != 0 && $ERR == *'ermission denied'* ]] || explain 'expected that it fails'
  noted "can't be written"
  noted '/export/b'
  [[ $(jq '[.notes[] | select(contains("can'"'"'t be written"))] | length' "$BUNDLE/nonroot-runc.json") == 1 ]] || explain "$(jq .notes "$BUNDLE/nonroot-runc.json")"
  : >"$LOG"
  fresh
  binds "$HOST/a" /export/a ro
  runs cat /export/a/x
  succeeds nonroot run "$ID"
  unsaid "can't be"
}

@test "a mount below a directory that is closed is named, an agent's socket, and one that somebody else may use is not" {
  held
  mkdir -p "$ROOTFS/usr/private/in"
  chmod 700 "$ROOTFS/usr/private"
  echo x >"$HOST/x"
  binds "$HOST/x" /usr/private/in/x ro
  python3 -c 'import socket,sys,os; os.umask(0o177); socket.socket(socket.AF_UNIX).bind(sys.argv[1])' "$HOST/agent"
  chown 1000:1000 "$HOST/agent"
  binds "$HOST/agent" /run/agent rw
  install -m 640 -g 65532 "$HOST/x" "$HOST/shared"
  binds "$HOST/shared" /run/shared ro
  runs sh -c 'cat /run/shared && cat /usr/private/in/x'
  says nonroot run "$ID"
  [[ $STATUS != 0 && $ERR == *'ermission denied'* ]] || explain 'expected that it fails'
  noted '/usr/private'
  noted '/run/agent'
  unsaid '/run/shared'
}

@test "capabilities that were asked for, and a home that the memory does not hold" {
  held
  config '.process.capabilities |= map_values(. + ["CAP_NET_ADMIN", "CAP_IPC_LOCK"])'
  config '.linux.resources.memory.limit = 67108864'
  runs true
  succeeds nonroot run "$ID"
  noted 'CAP_IPC_LOCK, CAP_NET_ADMIN'
  noted 'home.size'
  : >"$LOG"
  fresh
  config '.linux.resources.memory.limit = 1073741824'
  runs true
  succeeds nonroot run "$ID"
  unsaid '--cap-add'
  unsaid home.size
}

@test "scripts and programs that end where they are not root" {
  local name
  starts sh -c '[ "$(id -u)" -ne 0 ] && { echo must be root; exit 1; }; echo root'
  [[ $STATUS == 1 && $OUT == 'must be root' ]] || explain 'expected that it ends'
  hinted 'checks for root and ends without it'
  starts sh -c 'set -e; addgroup app; adduser -D -G app app; exec server'
  [[ $STATUS != 0 ]] || explain 'expected that it fails'
  hinted 'calls addgroup, which changes the accounts'
  # What root could not do either, as nobody has asked for it, is none.
  starts sh -c 'set -e; mount -t tmpfs tmpfs /mnt; exec server'
  [[ $STATUS != 0 ]] || explain 'expected that it fails'
  hinted
  WITH='.process.capabilities |= map_values(. + ["CAP_SYS_ADMIN", "CAP_NET_ADMIN"])'
  starts sh -c 'set -e; mount -t tmpfs tmpfs /mnt; exec server'
  [[ $STATUS != 0 ]] || explain 'expected that it fails'
  hinted 'calls mount, which mounts file systems'
  starts sh -c 'set -e; ln -sf /usr/share/zoneinfo/UTC /etc/localtime; exec server'
  hinted 'calls ln, which writes the time zone'
  starts sh -c 'iptables -A INPUT -j DROP && exec server'
  hinted 'calls iptables'
  for name in openvpn dockerd systemd syslog-ng; do
    install -m 755 "$ROOTFS/bin/busybox" "$ROOTFS/srv/$name"
    starts "/srv/$name"
    hinted "/srv/$name"
  done
  # Which of an image's own programs is called init says nothing.
  printf '#!/bin/sh\nexec true\n' >"$ROOTFS/init"
  mkdir -p "$ROOTFS/usr/lib/systemd"
  install -m 755 "$ROOTFS/init" "$ROOTFS/usr/lib/systemd/systemd"
  ln -sf ../usr/lib/systemd/systemd "$ROOTFS/sbin/init"
  chmod 755 "$ROOTFS/init"
  starts /init
  hinted
  starts /sbin/init
  hinted 'starts a whole system'
  starts sh -c 'if [ "$(id -u)" = 0 ]; then adduser -D app; exec su app -c "$0"; fi; exec true'
  hinted
}

@test "what a script writes and is not the identity's is named before it fails, and nothing that is" {
  mkdir -p "$ROOTFS"/{run,var/lib,data,srv}
  layered
  starts sh -ec '[ -e /.initialized ] || { date >/srv/first && touch /.initialized; }; exec true'
  [[ $STATUS != 0 ]] || explain 'expected that it ends'
  hinted 'writes \"/.initialized\", to which the identity has no right; hint: name a path below /run'
  starts sh -ec 'echo 127.0.0.1 backend >>/etc/hosts; exec true'
  [[ $STATUS != 0 ]] || explain 'expected that it ends'
  hinted '(--add-host, extra_hosts, hostAliases)'
  printf '#!/bin/sh\nset -e\nmkdir -p /run/app && echo x >/usr/share/page\n' >"$BATS_TEST_TMPDIR/layers/image/start.sh"
  chmod 755 "$BATS_TEST_TMPDIR/layers/image/start.sh"
  relayered
  starts /start.sh
  [[ $STATUS != 0 ]] || explain 'expected that it ends'
  hinted 'writes \"/usr/share/page\"'
  starts sh -ec 'mkdir -p /run/app /data/x ~/y; touch /tmp/a /var/lib/b /dev/shm/c; echo x >/dev/null; echo x >/etc/app.conf 2>/dev/null || true; cp /etc/passwd /root/; echo went on'
  contains 'went on'
  hinted
  starts sh -ec 'useradd --uid 1000 dev; exec true'
  hinted 'calls useradd'
}

@test "setuid files give nothing to who stays who it asks to be" {
  LOG=$BATS_TEST_TMPDIR/decisions.log
  : >"$LOG"
  policy <<<"log.file = \"$LOG\""
  install -m 4755 "$ROOTFS/bin/busybox" "$ROOTFS/bin/sudo"
  config '.process.user = {uid: 1000, gid: 1000}'
  runs sudo id -u
  says nonroot run "$ID"
  hinted 'is setuid, which has no effect here'
  fresh
  config '.process.user = {uid: 1000, gid: 1000}'
  runs sh -c 'sudo service start; exec server'
  says nonroot run "$ID"
  hinted 'calls sudo, which is setuid'
}

@test "a further process has its hint in its line of the log, as a health check has" {
  local command
  LOG=$BATS_TEST_TMPDIR/decisions.log
  policy <<<"log.file = \"$LOG\""
  detached nonroot
  while IFS='|' read -r command hint; do
    : >"$LOG"
    process --arg c "$command" '.args = ["sh", "-c", $c]'
    says nonroot exec --process "$PROCESS" "$ID"
    jq -e --arg h "$hint" 'select(.event == "exec") | (.notes // []) | if $h == "" then . == [] else any(contains($h)) end' "$LOG" >/dev/null || explain "$command: $(<"$LOG")"
  done <<<"gosu nobody true|calls gosu
chown 1000 /tmp|calls chown
set -e; apt-get update|calls apt-get
su nobody -c true|calls su
sudo id|calls sudo
echo 127.0.0.1 x >>/etc/hosts|--add-host
echo x >/tmp/x|
id -u|"
  : >"$LOG"
  process '.args = ["chown", "1000:1000", "/tmp"]'
  says nonroot exec --process "$PROCESS" "$ID"
  jq -e '.notes | any(contains("changes nothing"))' "$LOG" >/dev/null || explain "$(<"$LOG")"
  : >"$LOG"
  process '.args = ["sudo", "id"] | .user = {uid: 1000, gid: 1000}'
  says nonroot exec --process "$PROCESS" "$ID"
  jq -e '.notes | any(contains("is setuid"))' "$LOG" >/dev/null || explain "$(<"$LOG")"
}
