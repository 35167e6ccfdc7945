#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Images made for root: what they keep for root is the identity's, in the container's own layer (docs/policy.md, adapt).

load helpers

setup() {
  setup_bundle
  umask 022
}
teardown() {
  end_containers
  unlayered
}

# service puts into the image what a package of Debian's would.
service() {
  mkdir -p "$ROOTFS"/var/lib/service/db "$ROOTFS"/var/log/service "$ROOTFS"/var/cache/service "$ROOTFS"/run "$ROOTFS"/app "$ROOTFS"/etc/ssl
  chmod 700 "$ROOTFS/var/lib/service"
  echo 1 >"$ROOTFS/var/lib/service/db/table"
  chmod 600 "$ROOTFS/var/lib/service/db/table"
}

# serves is what it does.
serves() {
  config '.process.cwd = "/app"'
  runs sh -c 'echo 2 >>/var/lib/service/db/table && echo log >/var/log/service/log && echo pid >/run/service.pid &&
    mkdir /var/cache/service/x /var/lib/new && echo state >state && echo served; touch /etc/ssl/x /bin/x 2>/dev/null && echo too much; :'
}

recorded() { jq -e "$@" "$BUNDLE/nonroot-runc.json" >/dev/null || explain "the record: $(<"$BUNDLE/nonroot-runc.json")"; }

@test "an image that keeps its state for root works without root" {
  service
  layered
  serves
  succeeds bare run "$ID"
  contains served
  relayered
  policy <<<'adapt = {own = [], working_directory = false, applications = false}'
  shows 'any(.trips[]; .kind == "workdir" and .where == "/app")' "$REPO/bin/nonroot-ctl" explain --json --policy "$POLICY" "$BUNDLE"
  says nonroot run "$ID"
  lacks served
  fresh
  serves
  : >"$POLICY"
  shows 'all(.trips[]; .kind != "workdir")' "$REPO/bin/nonroot-ctl" explain --json --policy "$POLICY" "$BUNDLE"
  succeeds nonroot run "$ID"
  [[ $OUT == served ]] || explain 'expected it to work, and no more'
  recorded '.notes | any(test("now belong to the identity, in /run, /var/cache, /var/lib, /var/log, /srv, /root, /app"))'
}

@test "C12: the image and a plain directory stay as they are" {
  service
  serves
  local before
  before=$(find "$ROOTFS" -printf '%p %U:%G %m\n' | sort)
  says nonroot run "$ID"
  lacks served
  [[ $(find "$ROOTFS" -not -path '*/etc/passwd' -not -path "*/home/nonroot" -printf '%p %U:%G %m\n' | sort) == "$(grep -v '/etc/passwd \|/home/nonroot ' <<<"$before")" ]]
  recorded '.notes | any(test("not an overlay"))'
  fresh
  layered
  serves
  before=$(find "$BATS_TEST_TMPDIR/layers/image" -printf '%p %U:%G %m %T@\n' | sort)
  succeeds nonroot run "$ID"
  contains served
  [[ $(find "$BATS_TEST_TMPDIR/layers/image" -printf '%p %U:%G %m %T@\n' | sort) == "$before" ]]
}

@test "C12: an overlay that is not of this container's engine stays as it is" {
  service
  layered
  local hosts=$BATS_TEST_TMPDIR/hosts before
  mkdir "$hosts"
  mount --move "$ROOTFS" "$hosts"
  config --arg r "$hosts" '.root.path = $r'
  runs true
  before=$(find "$hosts/var" -printf '%p %U:%G %m\n' | sort)
  says nonroot run "$ID"
  [[ $(find "$hosts/var" -printf '%p %U:%G %m\n' | sort) == "$before" ]] || explain 'expected it to stay'
  recorded '.notes | any(test("not an overlay"))'
  umount "$hosts"
}

@test "C12: links out of the rootfs, and what is mounted, give nothing of the host's" {
  mkdir -p "$BATS_TEST_TMPDIR/host/lib/x" "$BATS_TEST_TMPDIR/volume/x"
  service
  rm -r "$ROOTFS/var/log"
  ln -s "$BATS_TEST_TMPDIR/host" "$ROOTFS/var/log"
  ln -s "../../../../../../../../..$BATS_TEST_TMPDIR/host" "$ROOTFS/var/lib/up"
  ln -s /etc "$ROOTFS/srv"
  layered
  mkdir "$ROOTFS/var/lib/volume"
  config --arg v "$BATS_TEST_TMPDIR/volume" '.mounts += [{destination: "/var/lib/volume", type: "bind", source: $v, options: ["rbind", "rw"]}] | .process.cwd = "/srv"'
  runs true
  local before
  before=$(find "$BATS_TEST_TMPDIR/host" "$BATS_TEST_TMPDIR/volume" -printf '%p %U:%G %m\n' | sort)
  succeeds nonroot run "$ID"
  [[ $(find "$BATS_TEST_TMPDIR/host" "$BATS_TEST_TMPDIR/volume" -printf '%p %U:%G %m\n' | sort) == "$before" ]]
  [[ $(stat -c %u "$ROOTFS/var/lib" "$ROOTFS/etc" "$ROOTFS/etc/passwd") == $'65532\n0\n0' ]]
}

@test "an image that was made of another container of the policy's works, too; a volume of that one stays its own" {
  local volumes=$BATS_TEST_TMPDIR/engine/volumes
  service
  # As docker commit leaves it, of a container whose uid was one of the range, and of one before there was a range.
  chown -R 200500:200500 "$ROOTFS/var/lib" "$ROOTFS/var/log"
  chown -R 65532:65532 "$ROOTFS/run" "$ROOTFS/app"
  mkdir -p "$ROOTFS/data" "$volumes/others/_data"
  touch "$volumes/metadata.db"
  chmod 755 "$BATS_TEST_TMPDIR/engine" "$volumes" "$volumes/others"
  chown 200500:200500 "$ROOTFS/data" "$volumes/others/_data"
  # Nor does it help to know the other one.
  account somebody 200500 200500
  layered
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
identity.range = "200000-200499"
[[rule]]
name = "others"
match.root = ["/others/*"]
identity.range = "200500-200999"
TOML
  serves
  config --arg v "$volumes/others/_data" '.mounts += [{destination: "/data", type: "bind", source: $v, options: ["rbind", "rw"]}]'
  succeeds nonroot run "$ID"
  [[ $OUT == served ]] || explain 'expected it to work, and no more'
  [[ $(stat -c %u "$ROOTFS/var/lib/service/db/table") == 200[0-4]?? ]]
  [[ $(stat -c %u "$volumes/others/_data") == 200500 ]] || explain "another container's volume was given"
}

@test "a new volume that is only read stays root's, for whoever writes it" {
  local volumes=$BATS_TEST_TMPDIR/engine/volumes ro
  mkdir -p "$ROOTFS/data" "$volumes/new/_data"
  touch "$volumes/metadata.db"
  chmod 755 "$BATS_TEST_TMPDIR/engine" "$volumes" "$volumes/new"
  for ro in ro rro rw; do
    fresh
    config --arg v "$volumes/new/_data" --arg ro "$ro" '.mounts += [{destination: "/data", type: "bind", source: $v, options: ["rbind", $ro]}]'
    runs stat -c %u /data
    succeeds nonroot run "$ID"
    [[ $OUT == "$([[ $ro == rw ]] && echo 65532 || echo 0)" ]] || explain "$ro"
  done
}

@test "directories of the list that are links: what they lead to is given, unless it never is" {
  mkdir -p "$ROOTFS/var/roothome" "$ROOTFS/export/app" "$ROOTFS/usr/share/data"
  rm -rf "$ROOTFS/root" "$ROOTFS/srv" "$ROOTFS/data" "$ROOTFS/opt"
  ln -s var/roothome "$ROOTFS/root" # as Fedora's ostree has it
  ln -s /export "$ROOTFS/srv"
  ln -s /usr/share/data "$ROOTFS/data"
  ln -s / "$ROOTFS/opt"
  layered
  runs sh -c 'touch /root/x /srv/x /srv/app/x && echo served; touch /data/x /x && echo too much; stat -c %u / /usr/share/data /etc'
  says nonroot run "$ID"
  [[ $OUT == $'served\n0\n0\n0' ]] || explain 'expected it to work, and no more'
}

@test "a container whose policy names somebody else since its last start goes on" {
  local uid
  service
  layered
  for uid in 65532 70000 70003; do
    fresh
    serves
    policy <<<"identity.uid = $uid"
    succeeds nonroot run "$ID"
    [[ $OUT == served ]] || explain "expected it to work, and no more, as $uid"
    rm -r "$ROOTFS"/var/cache/service/x "$ROOTFS"/var/lib/new
  done
  # A rule, where the general part's was before; and Docker leaves no bundle.
  policy <<<'identity.uid = 70001'
  fresh
  serves
  succeeds nonroot run "$ID"
  rm -r "$ROOTFS"/var/cache/service/x "$ROOTFS"/var/lib/new
  rm "$BUNDLE/nonroot-runc.json"
  printf '[[rule]]\nname = "late"\nmatch.root = ["%s"]\nidentity.uid = 70002\n' "$STATE" >>"$POLICY"
  fresh
  serves
  succeeds nonroot run "$ID"
  [[ $OUT == served && $(stat -c %u "$ROOTFS/app/state") == 70002 ]] || explain 'expected it to work, and no more, by the rule'
}

@test "a container that is enforced at its next start has what it wrote as root, whatever its size" {
  service
  layered
  policy <<<'mode = "audit"'
  runs sh -c 'umask 077; head -c 3000000 /dev/zero >/var/lib/service/db/large'
  succeeds nonroot run "$ID"
  fresh
  : >"$POLICY"
  runs sh -c 'id -u; echo more >>/var/lib/service/db/large'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]]
}

@test "the working directory by way of a link, and none that it does not lead to" {
  mkdir -p "$ROOTFS/releases/1" "$ROOTFS/etc/ssl/app"
  ln -s releases/1 "$ROOTFS/current"
  ln -s /etc/ssl/app "$ROOTFS/app"
  layered
  config '.process.cwd = "/current"'
  runs sh -c 'pwd && echo x >x'
  succeeds nonroot run "$ID"
  [[ $OUT == /releases/1 ]] || explain 'expected it to be given'
  fresh
  mkdir -p "$ROOTFS"/$'of, /etc\n'
  config --arg c $'/of, /etc\n' '.process.cwd = $c'
  runs true
  succeeds nonroot run "$ID"
  recorded '.notes | any(contains(" in \"/of, /etc\\n\""))'
  fresh
  config '.process.cwd = "/app"'
  runs sh -c 'pwd; echo x >x && echo too much'
  says nonroot run "$ID"
  [[ $OUT == /etc/ssl/app ]] || explain 'expected it to stay'
  recorded '.notes | any(test("the identity can.t write to its working directory ..?/etc/ssl/app"))'
}

@test "an image that runs as who it asks for stays as it is" {
  service
  layered
  config '.process.user = {uid: 1000, gid: 1000}'
  runs true
  succeeds nonroot run "$ID"
  [[ $(stat -c %u "$ROOTFS/var/lib/service") == 0 ]]
}

@test "a user namespace: the files are the identity's there" {
  service
  mapped
  layered
  serves
  config '.mounts += [{destination: "/app", type: "tmpfs", source: "tmpfs"}]'
  succeeds nonroot run "$ID"
  contains served
  [[ $(stat -c %u "$ROOTFS/var/lib/service") == 165532 ]]
}

@test "/tmp, where an image has it closed" {
  rmdir "$ROOTFS/tmp" 2>/dev/null || true
  mkdir -m 755 "$ROOTFS/tmp"
  layered
  runs sh -c 'echo x >/tmp/x && echo written'
  succeeds nonroot run "$ID"
  contains written
}

# Logs of many images are links to these (nginx, apache).
@test "/dev/stdout, /dev/stderr and /dev/shm can be opened, as pipes and as a terminal, in exec, too" {
  local word writes='echo out >/dev/stdout; echo err >/dev/stderr; echo shm >/dev/shm/x && cat /dev/shm/x' out
  runs sh -c "$writes"
  out=$(piped nonroot run "$ID")
  [[ $out == $'err\nout\nshm' ]] || explain "run: $out"
  fresh
  detached nonroot
  process --arg w "$writes" '.args = ["sh", "-c", $w]'
  out=$(piped nonroot exec --process "$PROCESS" "$ID")
  [[ $out == $'err\nout\nshm' ]] || explain "exec: $out"
  fresh
  config '.process.terminal = true'
  runs sh -c "$writes; echo tty >/dev/tty; echo console >/dev/console"
  succeeds on_tty nonroot run "$ID-2"
  for word in out err shm tty console; do contains "$word"; done
}

# piped COMMAND... prints its lines, sorted: runc has a pipe for each of the two.
piped() { "$@" </dev/null 2>&1 3>&- | sort; }

@test "a tmpfs that somebody mounts is the identity's, but for one with an owner, and over what is never given" {
  mkdir -p "$ROOTFS/run" "$ROOTFS/data" "$ROOTFS/mine" "$ROOTFS/etc/ssl"
  config '.root.readonly = true | .mounts += [
    {destination: "/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]},
    {destination: "/data", type: "tmpfs", source: "tmpfs"},
    {destination: "/mine", type: "tmpfs", source: "tmpfs", options: ["uid=7", "mode=755"]},
    {destination: "/etc/ssl", type: "tmpfs", source: "tmpfs", options: ["mode=755"]}]'
  runs sh -c 'stat -c "%u:%g" /run /data /mine /etc/ssl /dev; echo pid >/run/service.pid && echo x >/data/x && echo served'
  succeeds bare run "$ID"
  [[ $OUT == $'0:0\n0:0\n7:0\n0:0\n0:0\nserved' ]] || explain 'expected it to work as root'
  local was
  was=$(<config.json)
  succeeds nonroot run "$ID"
  [[ $OUT == $'65532:65532\n65532:65532\n7:0\n0:0\n0:0\nserved' ]] || explain 'expected it to work without'
  # Once more, it is the same.
  local once
  once=$(<config.json)
  succeeds nonroot run "$ID"
  [[ $(<config.json) == "$once" ]] || explain 'expected the same config.json'
  printf '%s\n' "$was" >config.json
  policy <<<'adapt.volumes = false'
  says nonroot run "$ID"
  lacks served
  printf '%s\n' "$was" >config.json
  config '.process.user = {uid: 1000, gid: 1000}'
  : >"$POLICY"
  says nonroot run "$ID"
  lacks served
}

@test "a tmpfs is the identity's of each start, whoever had it before" {
  config '.mounts += [("/run", "/var/tmp") | {destination: ., type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755"]}]
    | .mounts += [{destination: "/mine", type: "tmpfs", source: "tmpfs", options: ["nosuid", "mode=755,uid=7"]}]
    | .mounts[-2].options |= ["uid=0", "gid=0"] + .'
  mkdir -p "$ROOTFS/run" "$ROOTFS/var/tmp" "$ROOTFS/mine"
  runs stat -c %u:%g /run /var/tmp /mine
  local was id
  was=$(<config.json)
  succeeds bare run "$ID"
  [[ $OUT == $'0:0\n0:0\n7:0' ]]
  succeeds nonroot run "$ID"
  [[ $OUT == $'65532:65532\n65532:65532\n7:0' ]] || explain 'expected the identity, but for one with an owner'
  policy <<<$'identity.uid = 70000\nidentity.gid = 70001'
  succeeds nonroot run "$ID"
  [[ $OUT == $'70000:70001\n70000:70001\n7:0' ]] || explain 'expected the new identity'
  [[ $(jq -c '.mounts[] | select(.destination == "/run").options' config.json) == '["nosuid","mode=755","uid=70000","gid=70001"]' ]]
  # Another container of the same bundle, with a uid of its own.
  printf 'state = "%s"\nidentity.range = "200000-200499"\n' "$BATS_TEST_TMPDIR/ids" >"$POLICY"
  printf '%s\n' "$was" >config.json
  runs sh -c 'id -u; stat -c %u /run /var/tmp'
  for id in "$ID-a" "$ID-b"; do
    succeeds nonroot run "$id"
    [[ $(sort -u <<<"$OUT") == 200[0-4]?? ]] || explain 'expected one uid'
  done
}

@test "what a runtime copies from the image into a tmpfs is the identity's, too, also of an image that is read-only" {
  mkdir -p "$ROOTFS/run/service" "$ROOTFS/data/sub" "$ROOTFS/etc/ssl/sub" "$ROOTFS/srv/sub"
  echo 1 >"$ROOTFS/data/table"
  layered
  config '.root.readonly = true | .mounts += [("/run", "/data", "/etc/ssl") | {destination: ., type: "tmpfs", source: "tmpfs", options: ["nosuid", "tmpcopyup"]}]'
  runs sh -c 'echo x >/run/service/x && echo x >/data/sub/x && echo 2 >>/data/table && echo served; echo x >/etc/ssl/sub/x && echo too much; stat -c %u /srv/sub'
  succeeds nonroot run "$ID"
  [[ $OUT == $'served\n0' ]] || explain 'expected it to work, and no more'
  # Where a link leads, it is copied to.
  fresh
  relayered
  ln -s ../run "$ROOTFS/var/run"
  config '.root.readonly = true | .mounts += [{destination: "/var/run", type: "tmpfs", source: "tmpfs", options: ["nosuid", "tmpcopyup"]}]'
  runs sh -c 'echo x >/run/service/x && echo served'
  succeeds nonroot run "$ID"
}

@test "ports below 1024 in a network of its own, and none in the host's" {
  local sys='cat /proc/sys/net/ipv4/ip_unprivileged_port_start'
  config '.linux.namespaces += [{type: "network"}] | .linux.namespaces |= unique_by(.type)'
  runs sh -c "$sys"'; httpd -p 127.0.0.1:80 -h /etc && echo listens'
  succeeds nonroot run "$ID"
  [[ $OUT == $'0\nlistens' ]] || explain 'expected to listen'
  fresh
  config '.linux.namespaces += [{type: "network"}] | .linux.namespaces |= unique_by(.type) | .linux.sysctl = {"net.ipv4.ip_unprivileged_port_start": "500"}'
  runs sh -c "$sys"
  succeeds nonroot run "$ID"
  [[ $OUT == 500 ]] || explain "expected the engine's own"
  fresh
  config '.linux.namespaces += [{type: "network"}] | .linux.namespaces |= unique_by(.type) | .linux.sysctl = {"net/ipv4/ip_unprivileged_port_start": "500"}'
  runs sh -c 'true'
  says nonroot run "$ID"
  jq -e '.linux.sysctl | has("net.ipv4.ip_unprivileged_port_start") | not' config.json
  fresh
  config '.linux.namespaces |= map(select(.type != "network"))'
  runs sh -c "$sys"
  succeeds nonroot run "$ID"
  [[ $OUT == "$(cat /proc/sys/net/ipv4/ip_unprivileged_port_start)" && $OUT != 0 ]] || explain "expected the host's own"
}

@test "a container whose /proc can't be written starts all the same" {
  local proc
  for proc in '.options = ["ro"]' '.type = "bind" | .source = "/proc" | .options = ["rbind", "ro"]'; do
    fresh
    config '.linux.namespaces += [{type: "network"}] | .linux.namespaces |= unique_by(.type)'
    config '(.mounts[] | select(.destination == "/proc")) |= ('"$proc"')'
    runs echo ran
    succeeds bare run "$ID"
    contains ran
    succeeds nonroot run "$ID"
    contains ran
    jq -e '.linux | has("sysctl") | not' config.json
  done
}

# account NAME UID GID
account() {
  printf '%s:x:%s:%s::/:/bin/sh\n' "$1" "$2" "$3" >>"$ROOTFS/etc/passwd"
  printf '%s:x:%s:\n' "$1" "$3" >>"$ROOTFS/etc/group"
}

@test "the image's user has its groups of the image, unless something of the host's is there" {
  account postgres 4999 4998
  printf 'ssl-cert:x:301:postgres\nshadow:x:42:postgres\n' >>"$ROOTFS/etc/group"
  nonroot_shows 'nonroot(4999; 4998) and .Groups == [301]'
  fresh
  mkdir "$BATS_TEST_TMPDIR/host"
  config --arg h "$BATS_TEST_TMPDIR/host" '.mounts += [{destination: "/host", type: "bind", source: $h, options: ["bind", "ro"]}]'
  nonroot_shows 'nonroot(4999; 4998) and .Groups == []'
  fresh
  config '.linux.devices = [{path: "/dev/card", type: "c", major: 1, minor: 7}]'
  nonroot_shows 'nonroot(4999; 4998) and .Groups == []'
}
