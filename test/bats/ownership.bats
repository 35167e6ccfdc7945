#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Applications that expect to be root: changes of owners, package configuration, directories for group 0, closed programs
# (docs/policy.md, adapt; SECURITY.md H).

load helpers

setup() {
  setup_bundle
  umask 022
}
teardown() {
  end_containers
  unlayered
}

# As start scripts do it, under set -e.
script='set -e; touch /tmp/f; chown 33:33 /tmp/f; chown -R 0:0 /tmp/f; chown -h 7:7 /tmp/f; chgrp 5 /tmp/f; stat -c owner=%u:%g /tmp/f; grep -E "^(Uid|Gid|Groups|CapEff|NoNewPrivs)" /proc/self/status; echo went on'

@test "H1: chown succeeds and changes nothing, also in exec" {
  layered
  runs sh -c "$script"
  succeeds bare run "$ID"
  contains 'owner=7:5'
  relayered
  succeeds nonroot run "$ID"
  contains 'owner=65532:65532'
  contains 'went on'
  [[ $OUT == *$'Uid:\t65532\t65532\t65532\t65532'*$'Gid:\t65532\t65532\t65532\t65532'*$'CapEff:\t0000000000000000'*$'NoNewPrivs:\t1'* ]] || explain 'the identity'
  detached nonroot
  succeeds nonroot exec "$ID" sh -c "rm -f /tmp/f; $script"
  contains 'owner=65532:65532'
  # What the process is started with is the runtime's to set, before there is a filter.
  process '.args = ["grep", "-E", "^(Uid|Gid|Groups)", "/proc/self/status"] | .user.additionalGids = [0, 6]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == *$'Uid:\t65532\t65532'* && $OUT == *$'Groups:\t'* && $OUT != *$'Groups:\t'*6* ]] || explain 'the groups of an exec'
}

@test "H1: files of others, of the host's too, keep their owner" {
  mkdir "$BATS_TEST_TMPDIR/volume"
  echo host >"$BATS_TEST_TMPDIR/volume/roots"
  install -m 600 -o 1500 -g 1500 /dev/null "$BATS_TEST_TMPDIR/volume/persons"
  config --arg v "$BATS_TEST_TMPDIR/volume" '.mounts += [{destination: "/v", type: "bind", source: $v, options: ["rbind", "rw"]}]'
  runs sh -c 'chown 65532 /v/roots /v/persons /v /etc/passwd && cat /v/persons; echo x >/v/roots; touch /v/new; :'
  succeeds nonroot run "$ID"
  [[ $(stat -c %u:%g "$BATS_TEST_TMPDIR"/volume{,/roots,/persons}) == $'0:0\n0:0\n1500:1500' ]] || explain 'an owner changed'
  [[ $(<"$BATS_TEST_TMPDIR/volume/roots") == host && ! -e $BATS_TEST_TMPDIR/volume/new ]] || explain 'it could write'
}

@test "H1: a policy that doesn't, somebody who is not root's stand-in, and an engine that denies it" {
  runs sh -c 'chown 33 /tmp && echo changed'
  policy <<<'adapt.emulate_ownership = false'
  says nonroot run "$ID"
  lacks changed
  : >"$POLICY"
  fresh
  runs sh -c 'chown 33 /tmp && echo changed'
  config '.process.user = {uid: 1000, gid: 1000}'
  says nonroot run "$ID"
  lacks changed
  fresh
  runs sh -c 'chown 33 /tmp && echo changed'
  config '.linux.seccomp = {defaultAction: "SCMP_ACT_ALLOW", syscalls: [{names: ["chown", "lchown", "fchownat", "fchown"], action: "SCMP_ACT_ERRNO", errnoRet: 13}]}'
  says nonroot run "$ID"
  lacks changed
  fresh
  runs sh -c 'chown 33 /tmp && echo changed'
  config '.process.user.additionalGids = [4000]'
  policy <<<'identity.allowed_gids = [4000]'
  says nonroot run "$ID"
  lacks changed
}

@test "H1: an exec that a rule exempts has none of the engine's groups" {
  detached nonroot
  policy <<<$'mode = "off"\nreason = "a test"'
  process '.user = {uid: 1000, gid: 1000, additionalGids: []} | .args = ["grep", "^Groups", "/proc/self/status"]'
  succeeds setpriv --groups 6,42 "${NONROOT[@]}" exec --process "$PROCESS" "$ID"
  [[ $OUT != *6* && $OUT != *42* ]] || explain 'it has groups of its caller'
}

@test "H2: a package's configuration and an application's directories are the identity's; what decides who is who stays" {
  mkdir -p "$ROOTFS"/etc/nginx/conf.d "$ROOTFS"/etc/pam.d "$ROOTFS"/config "$ROOTFS"/usr/local/etc/php "$ROOTFS"/etc/ssh "$ROOTFS"/var/{www,empty,mail}
  echo old >"$ROOTFS/etc/nginx/nginx.conf"
  layered
  local write='for f in /etc/nginx/nginx.conf /etc/nginx/conf.d/x /config/x /usr/local/etc/php/x /var/www/x /var/empty/x /var/mail/x /etc/pam.d/x /etc/ssh/x /etc/x /etc/group /usr/bin/x /bin/x /usr/local/bin/x; do echo x 2>/dev/null >>$f && echo "wrote $f"; done; :'
  runs sh -c "$write"
  policy <<<'adapt.applications = false'
  says nonroot run "$ID"
  lacks 'wrote'
  : >"$POLICY"
  relayered
  fresh
  runs sh -c "$write"
  succeeds nonroot run "$ID"
  [[ $(grep '^wrote' <<<"$OUT") == $'wrote /etc/nginx/nginx.conf\nwrote /etc/nginx/conf.d/x\nwrote /config/x\nwrote /usr/local/etc/php/x\nwrote /var/www/x' ]] || explain 'expected these five'
}

@test "H3: what an image opens to group 0 is its user's who asked for group 0, and nothing else is" {
  mkdir -p "$ROOTFS"/opt/app/data "$ROOTFS"/opt/app/closed "$ROOTFS"/bitnami
  chmod 775 "$ROOTFS/opt/app/data" "$ROOTFS/bitnami"
  echo 1 >"$ROOTFS/opt/app/data/f"
  chmod 664 "$ROOTFS/opt/app/data/f"
  layered
  local write='for f in /opt/app/data/f /opt/app/data/new /bitnami/x /opt/app/closed/x /opt/x /etc/x /var/lib/x; do echo x 2>/dev/null >>$f && echo "wrote $f"; done; grep -E "^(Gid|Groups)" /proc/self/status'
  config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
  runs sh -c "$write"
  succeeds bare run "$ID"
  contains 'wrote /bitnami/x'
  relayered
  policy <<<'adapt.group_root = false'
  says nonroot run "$ID"
  lacks 'wrote'
  : >"$POLICY"
  relayered
  fresh
  config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
  runs sh -c "$write"
  succeeds nonroot run "$ID"
  [[ $(grep '^wrote' <<<"$OUT") == $'wrote /opt/app/data/f\nwrote /opt/app/data/new\nwrote /bitnami/x' ]] || explain 'expected these three'
  [[ $(grep -E '^(Gid|Groups)' <<<"$OUT") != *$'\t0'* && $(grep ^Groups <<<"$OUT") != *' 0 '* ]] || explain 'group 0 is still there'
  [[ $(stat -c %u "$ROOTFS"/opt/app/data "$ROOTFS"/bitnami "$ROOTFS"/opt) == $'0\n0\n0' ]] || explain 'an owner changed'
}

@test "H3: where a user works and has its home comes before thousands of other directories" {
  mkdir -p "$ROOTFS"/opt/app/src/data "$ROOTFS"/home/default "$ROOTFS"/opt/many
  (cd "$ROOTFS/opt/many" && seq 2000 | xargs mkdir)
  mkdir "$ROOTFS/opt/many2"
  (cd "$ROOTFS/opt/many2" && seq 2000 | xargs mkdir)
  chmod 775 "$ROOTFS"/opt/app/src{,/data} "$ROOTFS"/home/default
  layered
  local home
  for home in /opt/app/src /home/default; do
    relayered
    fresh
    config --arg h "$home" '.process.user = {uid: 1001, gid: 0, additionalGids: []} | .process.env |= map(select(startswith("HOME=") | not)) + ["HOME=" + $h]'
    runs sh -c 'touch ~/f && echo wrote; ! test -e /opt/app/src/f || touch ~/data/f; echo "in $HOME"'
    succeeds nonroot run "$ID"
    [[ $OUT == $'wrote\nin '"$home" ]] || explain "home $home" "$(jq .notes "$BUNDLE/nonroot-runc.json")"
    [[ $(stat -c %u:%g "$ROOTFS$home") == 0:65532 ]] || explain 'the owner'
  done
}

@test "H17: a home that an image opens to group 0 stays the home of its user" {
  mkdir -p "$ROOTFS/opt/app/src"
  chmod 775 "$ROOTFS/opt/app/src"
  echo 1 >"$ROOTFS/opt/app/src/page"
  printf 'default:x:1001:0:Default:/opt/app/src:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  layered
  local of
  for of in bare nonroot; do
    relayered
    fresh
    config '.process.user = {uid: 1001, gid: 0, additionalGids: []} | .process.env += ["HOME=/opt/app/src"]'
    runs sh -c 'cat ~/page && touch ~/x && echo "wrote in $HOME"'
    succeeds "$of" run "$ID"
    contains 'wrote in /opt/app/src'
  done
  # By who is somebody else, it can't be written.
  relayered
  fresh
  config '.process.user = {uid: 1001, gid: 1001, additionalGids: []} | .process.env += ["HOME=/opt/app/src"]'
  runs sh -c 'touch ~/x && echo "wrote in $HOME"'
  succeeds nonroot run "$ID"
  contains 'wrote in /home/default'
}

@test "H4: a program that root alone may run is run, and stays root's; what is secret stays closed" {
  printf '#!/bin/sh\necho started; cat /etc/shadow 2>/dev/null && echo read; echo x 2>/dev/null >>/entry.sh && echo changed; :\n' >"$ROOTFS/entry.sh"
  mkdir -p "$ROOTFS/etc/environment_of_it"
  chmod 744 "$ROOTFS/entry.sh"
  chmod 700 "$ROOTFS/etc/environment_of_it"
  install -m 600 /dev/null "$ROOTFS/etc/shadow"
  layered
  runs /entry.sh
  policy <<<'adapt.applications = false'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'it ran'
  : >"$POLICY"
  relayered
  fresh
  runs /entry.sh
  succeeds nonroot run "$ID"
  [[ $OUT == started ]] || explain 'expected it to start, and no more'
  [[ $(stat -c %u:%g:%a "$ROOTFS/entry.sh") == 0:65532:754 && $(stat -c %u:%g:%a "$ROOTFS/etc/shadow") == 0:0:600 ]]
  # Nor by naming it as the program, or as what a shell is to read.
  local command
  for command in /etc/shadow 'sh /etc/shadow'; do
    relayered
    fresh
    # shellcheck disable=SC2086 # a list of words
    runs $command
    says nonroot run "$ID"
    [[ $STATUS != 0 ]] || explain 'it ran'
    [[ $(stat -c %u:%g:%a "$ROOTFS/etc/shadow") == 0:0:600 ]]
  done
}

@test "H4: programs of the image's own that root alone may run are run by its start script, and stay root's" {
  mkdir -p "$ROOTFS/usr/local/bin" "$ROOTFS/usr/bin"
  printf '#!/bin/sh\necho helped; echo x 2>/dev/null >>"$0" && echo changed; :\n' >"$ROOTFS/usr/local/bin/own-chown"
  cp "$ROOTFS/usr/local/bin/own-chown" "$ROOTFS/usr/bin/closed"
  printf 'secret\n' >"$ROOTFS/usr/local/bin/key"
  chmod 744 "$ROOTFS/usr/local/bin/own-chown"
  chmod 700 "$ROOTFS/usr/bin/closed"
  chmod 600 "$ROOTFS/usr/local/bin/key"
  layered
  local script='/usr/local/bin/own-chown; cat /usr/local/bin/key 2>/dev/null; :'
  runs sh -c "$script"
  policy <<<'adapt.applications = false'
  says nonroot run "$ID"
  lacks helped
  : >"$POLICY"
  relayered
  fresh
  runs sh -c "$script"
  succeeds nonroot run "$ID"
  [[ $OUT == helped ]] || explain 'expected it to help, and no more'
  [[ $(stat -c %u:%g:%a "$ROOTFS/usr/local/bin/own-chown") == 0:65532:754 && $(stat -c %u:%g:%a "$ROOTFS/usr/bin/closed") == 0:0:700 ]]
}

@test "H4: programs that a start script names are run wherever they lie, and stay root's; what is beside them stays closed" {
  mkdir -p "$ROOTFS"/usr/bin "$ROOTFS"/usr/lib/own/bin "$ROOTFS"/etc/ssl/private
  printf '#!/bin/sh\necho "ran $0"; echo x 2>/dev/null >>"$0" && echo changed; cat "${0%%/*}/key" 2>/dev/null; :\n' >"$ROOTFS/usr/bin/named"
  cp "$ROOTFS/usr/bin/named" "$ROOTFS/usr/bin/unnamed"
  cp "$ROOTFS/usr/bin/named" "$ROOTFS/usr/lib/own/bin/helper"
  cp "$ROOTFS/usr/bin/named" "$ROOTFS/etc/ssl/private/helper"
  cp "$ROOTFS/usr/bin/named" "$ROOTFS/usr/bin/setuid"
  printf '#!/bin/sh\n. /lib.sh\nif true; then named; fi\nhelp() {\n  /usr/lib/own/bin/helper\n}\nhelp\n/etc/ssl/private/helper 2>/dev/null\nsetuid 2>/dev/null\n$CALLED 2>/dev/null\nexec "$@"\n' >"$ROOTFS/usr/lib/own/start.sh"
  cp "$ROOTFS/usr/bin/named" "$ROOTFS/usr/bin/server"
  echo secret >"$ROOTFS/usr/bin/key"
  echo secret >"$ROOTFS/usr/lib/own/bin/key"
  : >"$ROOTFS/lib.sh"
  chmod 600 "$ROOTFS"/usr/bin/key "$ROOTFS"/usr/lib/own/bin/key
  chmod 700 "$ROOTFS"/usr/bin/{named,unnamed,server} "$ROOTFS"/usr/lib/own{,/bin,/start.sh} "$ROOTFS"/etc/ssl/private{,/helper}
  chmod 744 "$ROOTFS/usr/lib/own/bin/helper"
  chmod 4700 "$ROOTFS/usr/bin/setuid"
  layered
  runs /usr/lib/own/start.sh server
  config '.process.env += ["CALLED=unnamed"]'
  # Root reads all of it, and changes it.
  says bare run "$ID"
  contains secret
  contains changed
  relayered
  fresh
  runs /usr/lib/own/start.sh server
  config '.process.env += ["CALLED=unnamed"]'
  succeeds nonroot run "$ID"
  [[ $OUT == $'ran /usr/bin/named\nran /usr/lib/own/bin/helper\nran /usr/bin/server' ]] || explain 'expected these three, and no more'
  [[ $(stat -c %u:%g:%a "$ROOTFS"/usr/bin/{named,unnamed,server,setuid} "$ROOTFS"/usr/lib/own{,/bin,/bin/key} "$ROOTFS"/etc/ssl/private) == $'0:65532:750\n0:0:700\n0:65532:750\n0:0:4700\n0:65532:750\n0:65532:750\n0:0:600\n0:0:700' ]] || explain "$(stat -c '%n %u:%g:%a' "$ROOTFS"/usr/bin/{named,unnamed,server,setuid} "$ROOTFS"/usr/lib/own{,/bin,/bin/key} "$ROOTFS"/etc/ssl/private{,/helper})"
}

@test "H4: a command that names what is no program of its own opens nothing" {
  mkdir -p "$ROOTFS"/usr/lib/closed "$BATS_TEST_TMPDIR/host"
  echo secret >"$ROOTFS/usr/lib/closed/key"
  printf '#!/bin/sh\necho ran\n' >"$BATS_TEST_TMPDIR/host/tool"
  chmod 700 "$ROOTFS/usr/lib/closed" "$BATS_TEST_TMPDIR/host" "$BATS_TEST_TMPDIR/host/tool"
  chmod 600 "$ROOTFS/usr/lib/closed/key"
  install -m 600 /dev/null "$ROOTFS/etc/shadow"
  layered
  ln -s /etc/shadow "$ROOTFS/usr/bin/link"
  local command
  for command in 'sh /usr/lib/closed/key' '/usr/lib/closed/key' 'link' 'sh /host/tool' '/host/tool' '/usr/bin/../lib/closed/../../../host/tool'; do
    fresh
    config --arg v "$BATS_TEST_TMPDIR/host" '.mounts += [{destination: "/host", type: "bind", source: $v, options: ["rbind", "rw"]}]'
    # shellcheck disable=SC2086 # a list of words
    runs $command
    says nonroot run "$ID"
    [[ $OUT != *ran* && $OUT != *secret* ]] || explain 'it ran'
  done
  [[ $(stat -c %u:%g:%a "$ROOTFS"/usr/lib/closed/key "$ROOTFS"/etc/shadow "$BATS_TEST_TMPDIR"/host{,/tool}) == $'0:0:600\n0:0:600\n0:0:700\n0:0:700' ]] || explain 'a mode changed'
}

@test "H2: the directory of an application that the command works in is the identity's; others beside it stay" {
  mkdir -p "$ROOTFS"/usr/src/{app/data,other} "$ROOTFS"/usr/share/{web,other}/html "$ROOTFS"/usr/local/{tool/state,lib/x}
  layered
  local try='for d in /usr/src/app /usr/src/app/data /usr/src/other /usr/share/web/html /usr/share/web /usr/share/other/html /usr/local/tool/state /usr/local/lib/x /usr/src; do touch $d/x 2>/dev/null && echo "wrote $d"; done; :'
  policy <<<'adapt.applications = false'
  runs sh -c 'cd /usr/src/app; eval "$TRY"'
  config --arg t "$try" '.process.env += ["TRY=" + $t]'
  succeeds nonroot run "$ID"
  lacks wrote
  : >"$POLICY"
  relayered
  fresh
  runs sh -c 'cd /usr/src/app; sed -i s/a/b/ /usr/share/web/html/index.html 2>/dev/null; eval "$TRY"'
  config --arg t "$try" '.process.env += ["TRY=" + $t]'
  succeeds nonroot run "$ID"
  [[ $OUT == $'wrote /usr/src/app\nwrote /usr/src/app/data\nwrote /usr/share/web/html' ]] || explain 'expected these three'
  relayered
  fresh
  runs sh -c 'eval "$TRY"' /usr/src/app/server.js --state=/usr/local/tool/state/x /usr/local/lib/x/y /usr/share/other/y
  config --arg t "$try" '.process.env += ["TRY=" + $t]'
  succeeds nonroot run "$ID"
  [[ $OUT == $'wrote /usr/src/app\nwrote /usr/src/app/data\nwrote /usr/local/tool/state' ]] || explain 'expected these three'
}

@test "H4: a script that root alone may run is read by the shell that is told to, and stays root's" {
  printf '#!/bin/sh\necho started; echo x 2>/dev/null >>/closed.sh && echo changed; :\n' >"$ROOTFS/closed.sh"
  chmod 700 "$ROOTFS/closed.sh"
  layered
  local command
  for command in 'sh /closed.sh' 'sh -e closed.sh' 'sh -eu -o noglob -- /closed.sh'; do
    relayered
    fresh
    # shellcheck disable=SC2086 # a list of words
    runs $command
    succeeds nonroot run "$ID"
    [[ $OUT == started ]] || explain 'expected it to start, and no more'
    [[ $(stat -c %u:%g:%a "$ROOTFS/closed.sh") == 0:65532:750 ]] || explain 'expected it to stay root'"'"'s'
  done
}

# volume NAME makes one as Docker does, in $VOLUMES.
volume() {
  VOLUMES=$BATS_TEST_TMPDIR/engine/volumes
  mkdir -p "$VOLUMES/$1/_data"
  touch "$VOLUMES/metadata.db"
  chmod 755 "$BATS_TEST_TMPDIR/engine" "$VOLUMES" "$VOLUMES/$1" "$VOLUMES/$1/_data"
}

# with_volume NAME PLACE COMMAND makes a container that asks for root.
with_volume() {
  fresh
  config --arg v "$VOLUMES/$1/_data" --arg at "$2" '.mounts += [{destination: $at, type: "bind", source: $v, options: ["rbind", "rw"]}]'
  runs sh -c "$3"
}

@test "H5: containers that ask for root and share a volume are one user, whoever their images are for" {
  volume v
  volume other
  with_volume v /state 'umask 077; mkdir /state/live && echo key >/state/live/key'
  succeeds nonroot run "$ID"
  [[ $(stat -c %u "$VOLUMES"/v/_data/live) == 65532 ]] || explain 'the first one'
  printf 'app:x:4999:4999::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  printf 'app:x:4999:\n' >>"$ROOTFS/etc/group"
  mkdir "$ROOTFS/app"
  chown 4999:4999 "$ROOTFS/app"
  with_volume v /state 'cat /state/live/key'
  succeeds bare run "$ID"
  policy <<<'identity.sources = ["kept", "image", "fixed"]'
  with_volume v /state 'id -u; cat /state/live/key'
  says nonroot run "$ID"
  [[ $OUT == 4999 ]] || explain 'expected another user, who is denied'
  : >"$POLICY"
  with_volume v /state 'id -u; cat /state/live/key && echo more >>/state/live/key'
  succeeds nonroot run "$ID"
  [[ $OUT == $'65532\nkey' ]] || explain 'expected one user'
  jq -e '.source == "volume"' "$BUNDLE/nonroot-runc.json" >/dev/null || explain 'the record'
  # With an empty one the image's user is who it is, and the volume is its; the next one without that user follows.
  with_volume other /state 'id -u; echo x >/state/x'
  succeeds nonroot run "$ID"
  [[ $OUT == 4999 ]] || explain 'expected the image'"'"'s user'
  sed -i /^app:/d "$ROOTFS/etc/passwd"
  chown 0:0 "$ROOTFS/app"
  with_volume other /state 'id -u; echo x >>/state/x && rm /state/x'
  succeeds nonroot run "$ID"
  [[ $OUT == 4999 ]] || explain 'expected the owner of the volume'
}

@test "a container without a user of its own becomes the owner of its empty volume" {
  volume v
  chown 4999:4998 "$VOLUMES/v/_data"
  with_volume v /backup 'id -u; id -g'
  succeeds nonroot run "$ID"
  [[ $OUT == $'4999\n4998' ]] || explain 'expected the owner of the volume'
  [[ $(stat -c %u:%g "$VOLUMES/v/_data") == 4999:4998 ]] || explain 'it has taken the volume'
  # One of the identity that the policy had before is nobody's yet.
  volume w
  chown 65532:65532 "$VOLUMES/w/_data"
  policy <<<'identity.uid = 70000'
  with_volume w /backup 'id -u; echo x >/backup/x'
  succeeds nonroot run "$ID"
  [[ $OUT == 70000 ]] || explain 'expected the identity of the policy'
  : >"$POLICY"
  # A user of its own comes first.
  printf 'app:x:4000:4000::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  printf 'app:x:4000:\n' >>"$ROOTFS/etc/group"
  mkdir "$ROOTFS/app"
  chown 4000:4000 "$ROOTFS/app"
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 4000 ]] || explain 'expected the user of the image'
}

@test "an empty volume of root's is nobody's yet, in a user namespace too" {
  volume v
  chown 100000:100000 "$VOLUMES/v/_data"
  with_volume v /data 'id -u; echo x >/data/x && echo wrote'
  mapped
  succeeds nonroot run "$ID"
  [[ $OUT == $'65532\nwrote' ]] || explain 'expected the fixed identity'
}

@test "H5: a volume gives no root, nobody that allowed_uids leaves out, and nothing where each owner has a range" {
  volume v
  echo x >"$VOLUMES/v/_data/x"
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'root owns the volume'
  chown -R 1234:0 "$VOLUMES/v/_data"
  with_volume v /state 'id -u; id -g; id -G'
  succeeds nonroot run "$ID"
  [[ $OUT == $'1234\n65532\n65532' ]] || explain 'its owner, and not its group'
  policy <<<'identity.allowed_uids = ["5000-5999"]'
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'out of bounds'
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
identity.range = "200000-200499"
TOML
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 200* ]] || explain 'of the range'
  # A directory of the host is nobody's volume.
  : >"$POLICY"
  rm "$VOLUMES/metadata.db"
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'a directory of the host'
}

@test "H6: a volume from before: a note says so, adopt gives it, undo takes it back" {
  volume v
  local data=$VOLUMES/v/_data
  mkdir "$data/db"
  echo old >"$data/db/table"
  chmod 600 "$data/db/table"
  printf 'state = "%s"\n' "$BATS_TEST_TMPDIR/state" >"$POLICY"
  with_volume v /data 'cat /data/db/table; echo new >>/data/db/table; touch /data/x'
  local log=$BATS_TEST_TMPDIR/log
  says nonroot --log "$log" run "$ID"
  [[ $STATUS != 0 && $(<"$data/db/table") == old ]] || explain 'it wrote into the volume of root'
  jq -e --arg d "$data" '.notes | any(contains("the volume \"" + $d + "\" still belongs to root") and contains("nonroot-ctl volumes adopt --user 65532:65532 " + $d))' "$BUNDLE/nonroot-runc.json" >/dev/null || explain 'the record'
  grep -q 'nonroot-ctl volumes adopt' "$log" || explain 'the log of the engine'
  local ctl=("$REPO/bin/nonroot-ctl" volumes)
  succeeds "${ctl[@]}" adopt --dry-run --user 65532:65532 --policy "$POLICY" "$data"
  contains 'would change the owner of 3 files'
  succeeds "${ctl[@]}" adopt --user 65532:65532 --policy "$POLICY" "$data"
  contains 'changed the owner of 3 files'
  with_volume v /data 'cat /data/db/table; echo new >>/data/db/table; touch /data/x'
  succeeds nonroot run "$ID"
  contains old
  jq -e '.source == "volume" and (.notes // [] | all(test("still belongs? to root") | not))' "$BUNDLE/nonroot-runc.json" >/dev/null || explain 'the second record'
  succeeds "${ctl[@]}" undo --policy "$POLICY" "$data"
  [[ $(stat -c %u "$data" "$data/db/table" "$data/x") == $'0\n0\n65532' ]] || explain 'not given back'
  # What no engine manages is a person's to give.
  mkdir "$BATS_TEST_TMPDIR/mine"
  fails_with 1 "${ctl[@]}" adopt --policy "$POLICY" "$BATS_TEST_TMPDIR/mine"
  [[ $ERR == *'is not a volume of Docker'* && $(stat -c %u "$BATS_TEST_TMPDIR/mine") == 0 ]]
  fails_with 1 "${ctl[@]}" adopt --policy "$POLICY" --user 0:0 "$data"
}

@test "H7: a step that only prepares a volume for another user, and that user" {
  volume v
  volume used
  printf 'app:x:1000:1000::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  with_volume v /data 'set -e; id=1000; chown -R $id:$id /data; echo prepared'
  succeeds nonroot run "$ID"
  contains prepared
  with_volume v /data 'echo x >/data/x && echo wrote'
  config '.process.user = {uid: 1000, gid: 1000}'
  succeeds nonroot run "$ID"
  contains wrote
  [[ $(stat -c %u:%g "$VOLUMES/v/_data" "$VOLUMES/v/_data/x") == $'1000:65532\n1000:1000' ]] || explain 'the volume'
  # What somebody has used stays that one's, and so does what root has.
  with_volume used /data 'echo x >/data/x'
  succeeds nonroot run "$ID"
  with_volume used /data 'echo x >/data/y && echo wrote'
  config '.process.user = {uid: 1000, gid: 1000}'
  says nonroot run "$ID"
  lacks wrote
  [[ $(stat -c %u "$VOLUMES/used/_data") == 65532 ]] || explain 'the used one'
  rm "$VOLUMES/used/_data/x"
  chown 0:0 "$VOLUMES/used/_data"
  echo roots >"$VOLUMES/used/_data/r"
  with_volume used /data 'echo x >/data/y && echo wrote'
  config '.process.user = {uid: 1000, gid: 1000}'
  says nonroot run "$ID"
  lacks wrote
  [[ $(stat -c %u "$VOLUMES/used/_data") == 0 ]] || explain 'the one of root'
}

# ended leaves of a container what Docker leaves: its layer.
ended() { rm -f "$BUNDLE"/nonroot-*; }

@test "H8: a container that is started again stays who it was, whoever has taken its empty volume since" {
  volume v
  layered
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]]
  ended
  # Another one, which writes.
  chown 1000 "$VOLUMES/v/_data"
  install -o 1000 -g 1000 /dev/null "$VOLUMES/v/_data/x"
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'expected who it was'
  jq -e '.notes | any(contains("create the container again"))' "$BUNDLE/nonroot-runc.json" >/dev/null || explain 'expected a note'
  ended
  # A new one is of whoever has written there, and stays that one.
  relayered
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 1000 ]] || explain 'expected the owner of the volume'
  ended
  chown 1001 "$VOLUMES/v/_data"
  with_volume v /state 'id -u; id -g'
  succeeds nonroot run "$ID"
  [[ $OUT == $'1000\n65532' ]] || explain 'expected who it was before'
  ended
  # As far as the policy's bounds go.
  policy <<<'identity.allowed_uids = ["5000-5999"]'
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'out of bounds'
}

@test "H8: who a container was is nothing that its process or its image can write" {
  only runc || skip 'the kernel is asked, not the runtime'
  volume v
  layered
  local mark=trusted.nonroot.identity write
  write="import os; os.setxattr('$BATS_TEST_TMPDIR/layers/image', '$mark', b'1234:1234 volume')"
  python3 -c "$write"
  umount "$ROOTFS"
  overlaid
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'the image has chosen'
  ended
  # As its process, the kernel is asked without the promises that are not about this.
  write="import os; top = os.open('$ROOTFS', os.O_RDONLY); os.setgroups([]); os.setgid(65532); os.setuid(65532); os.setxattr(top, '$mark', b'1234:1234 volume')"
  chown 65532 "$ROOTFS"
  fails_with 1 python3 -c "$write"
  [[ $ERR == *'Operation not permitted'* ]]
  chown 0 "$ROOTFS"
  with_volume v /state 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'the process has chosen'
  # What is not an identity counts for nothing.
  local text
  for text in '0:0 volume' '1234:0 volume' '1234 volume' '1234:1234' '4294967296:1 volume' '01234:1 volume' ''; do
    ended
    python3 -c "import os, sys; os.setxattr('$ROOTFS', '$mark', sys.argv[1].encode())" "$text"
    with_volume v /state 'id -u'
    succeeds nonroot run "$ID"
    [[ $OUT == 65532 ]] || explain "$text"
  done
}

@test "what an earlier group was given or lent is a later one's" {
  printf '#!/bin/sh\necho started\n' >"$ROOTFS/entry.sh"
  chmod 744 "$ROOTFS/entry.sh"
  mkdir -p "$ROOTFS/opt/app"
  chmod 775 "$ROOTFS/opt/app"
  layered
  local gid
  for gid in 65532 70001 70002; do
    policy <<<"identity.gid = $gid"
    fresh
    runs /entry.sh
    succeeds nonroot run "$ID"
    [[ $OUT == started && $(stat -c %u:%g:%a "$ROOTFS/entry.sh") == 0:$gid:754 ]] || explain "the program, for $gid"
    ended
  done
  relayered
  for gid in 65532 70001 70002; do
    policy <<<"identity.gid = $gid"
    fresh
    config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
    runs sh -c 'echo x >>/opt/app/x && echo wrote'
    succeeds nonroot run "$ID"
    [[ $OUT == wrote && $(stat -c %u:%g "$ROOTFS/opt/app") == 0:$gid ]] || explain "the directory, for $gid"
    ended
    rm "$ROOTFS/opt/app/x"
  done
}

# recorded FILTER holds the record to it.
recorded() { jq -e "$@" "$BUNDLE/nonroot-runc.json" >/dev/null || explain "the record: $(<"$BUNDLE/nonroot-runc.json")"; }

@test "H6: a volume from before: in mode audit, in a user namespace, and none of Postgres' shape" {
  volume v
  local data=$VOLUMES/v/_data log=$BATS_TEST_TMPDIR/engine.log
  # The top is root's, and all data lies in a directory of the service's.
  mkdir "$data/18" "$data/lost+found"
  chown 65532:65532 "$data/18"
  with_volume v /data 'echo x >/data/18/x && echo wrote'
  succeeds nonroot run "$ID"
  contains wrote
  recorded '(.notes // [] | all(test("still belongs? to root") | not)) and (has("root_volumes") | not)'
  echo old >"$data/old"
  printf 'mode = "audit"\n[log]\nfile = "%s"\n' "$BATS_TEST_TMPDIR/decisions.log" >"$POLICY"
  for _ in 1 2; do
    with_volume v /data 'echo more >>/data/old'
    succeeds nonroot --log "$log" run "$ID"
  done
  recorded --arg d "$data" '.root_volumes == [$d] and (.notes | any(contains("volumes adopt --user 65532:65532 " + $d)))'
  grep -q 'audit: container.*volumes adopt' "$log" || explain "the log of the engine: $(<"$log")"
  [[ $(stat -c %u "$data" "$data/old") == $'0\n0' ]] || explain 'mode audit has changed an owner'
  shows '.volumes | length == 1 and .[0].count == 2 and (.[0].volume | endswith("/volumes/v/_data"))' "$REPO/bin/nonroot-ctl" report --json "$BATS_TEST_TMPDIR/decisions.log"
  succeeds "$REPO/bin/nonroot-ctl" report "$BATS_TEST_TMPDIR/decisions.log"
  [[ $(grep -c "$data" <<<"$OUT") == 1 && $OUT == *'nonroot-ctl volumes adopt'* ]] || explain 'the report'
  # There, root has another number.
  printf 'state = "%s"\n' "$BATS_TEST_TMPDIR/state" >"$POLICY"
  chown 100000:100000 "$data" "$data/old"
  mapped
  fresh
  with_volume v /data 'echo more >>/data/old && echo wrote'
  mapped
  says nonroot run "$ID"
  lacks wrote
  recorded --arg d "$data" '.root_volumes == [$d] and (.notes | any(contains("volumes adopt --from 100000:100000 --user 165532:165532 " + $d)))'
  succeeds "$REPO/bin/nonroot-ctl" volumes adopt --policy "$POLICY" --from 100000:100000 --user 165532:165532 "$data"
  with_volume v /data 'echo more >>/data/old && echo wrote'
  mapped
  succeeds nonroot run "$ID"
  contains wrote
  succeeds "$REPO/bin/nonroot-ctl" volumes undo --policy "$POLICY" "$data"
  [[ $(stat -c %u:%g "$data" "$data/old" "$data/18") == $'100000:100000\n100000:100000\n65532:65532' ]] || explain 'not given back'
}

# modules DIRECTORY fills one with more than is compared.
modules() {
  local i
  for i in {1..300}; do mkdir -p "$1/m$i/lib" && echo "$i" >"$1/m$i/index.js"; done
}

@test "H9: a large volume that the engine has just filled is the identity's at its top; one from before, and one with something else, is not" {
  modules "$ROOTFS/srv/modules"
  volume before
  cp -a "$ROOTFS/srv/modules/." "$VOLUMES/before/_data"
  layered
  local v
  for v in new other; do
    volume "$v"
    cp -a "$ROOTFS/srv/modules/." "$VOLUMES/$v/_data"
  done
  # What another container has written while it was filled.
  rm -r "$VOLUMES/other/_data"/m*
  touch "$VOLUMES/other/_data"/{1..300}
  with_volume new /srv/modules 'mkdir /srv/modules/.vite && echo made'
  succeeds nonroot run "$ID"
  contains made
  recorded --arg d "$VOLUMES/new/_data" '.notes | any(contains("not everything that the engine copied there") and contains("volumes adopt --user 65532:65532 " + $d))'
  for v in before other; do
    with_volume "$v" /srv/modules 'mkdir /srv/modules/.vite && echo made'
    says nonroot run "$ID"
    lacks made
    [[ $(stat -c %u "$VOLUMES/$v/_data") == 0 ]] || explain "$v was given"
    recorded --arg d "$VOLUMES/$v/_data" '.root_volumes == [$d]'
  done
}

# secret DIRECTORY NAME makes one as Podman does, and with_secret SOURCE a container that reads it.
secret() {
  mkdir -p "$1"
  printf '%s\n' "of $2" >"$1/$2"
  chmod 400 "$1/$2"
}
with_secret() {
  fresh
  config --arg s "$1" '.mounts += [{destination: "/run/secrets/s1", type: "bind", source: $s, options: ["bind", "rprivate"]}]'
  runs sh -c 'cat /run/secrets/s1; echo x 2>/dev/null >>/run/secrets/s1 && echo changed; :'
}

@test "H10: a secret that the engine keeps for this container alone can be read, and not written" {
  local own=$BATS_TEST_TMPDIR/store/overlay-containers/$ID/userdata/secrets at
  mkdir -p "$BATS_TEST_TMPDIR/store"
  secret "$own" s1
  with_secret "$own/s1"
  succeeds bare run "$ID"
  contains 'changed'
  secret "$own" s1
  with_secret "$own/s1"
  policy <<<'adapt.secrets = false'
  says nonroot run "$ID"
  lacks 'of s1'
  : >"$POLICY"
  with_secret "$own/s1"
  succeeds nonroot run "$ID"
  [[ $OUT == 'of s1' && $(stat -c %u:%g:%a "$own/s1") == 0:65532:440 ]] || explain 'expected it to be read'
  recorded '.notes | any(contains("1 of the engine"))'
  # Swarm's lie in a tmpfs that dockerd has made read-only.
  at=$BATS_TEST_TMPDIR/store/containers/$ID/mounts/secrets
  mkdir -p "$at"
  mount -t tmpfs -o nodev,nosuid,noexec tmpfs "$at"
  secret "$at" s2
  mount -o remount,ro,nodev,nosuid,noexec "$at"
  with_secret "$at/s2"
  succeeds nonroot run "$ID"
  contains 'of s2'
  [[ $(findmnt -no OPTIONS "$at") == ro,nosuid,nodev,noexec* && $(stat -c %u:%g:%a "$at/s2") == 0:65532:440 ]] || explain "the tmpfs: $(findmnt "$at")"
  umount "$at"
}

@test "H10: no other container's secret, no person's file, and none by a link or with another owner" {
  local store=$BATS_TEST_TMPDIR/store own at
  own=$store/overlay-containers/$ID/userdata/secrets
  mkdir -p "$store"
  secret "$own" link
  secret "$own" group
  secret "$own" person
  secret "$own" second
  secret "$store/overlay-containers/other/userdata/secrets" s1
  secret "$BATS_TEST_TMPDIR/mine" s1
  rm "$own/link"
  ln -s "$BATS_TEST_TMPDIR/mine/s1" "$own/link"
  chgrp 7 "$own/group"
  chown 1500 "$own/person"
  ln "$own/second" "$BATS_TEST_TMPDIR/second"
  for at in "$store/overlay-containers/other/userdata/secrets/s1" "$BATS_TEST_TMPDIR/mine/s1" "$own"/{link,group,person,second}; do
    with_secret "$at"
    says nonroot run "$ID"
    lacks 'of '
  done
  recorded '.notes | any(contains("closed to the identity"))'
  # Others can write the directory, and exchange what is in it.
  secret "$own" s1
  chown 1500 "$store/overlay-containers/$ID"
  with_secret "$own/s1"
  says nonroot run "$ID"
  lacks 'of '
  [[ $(stat -c %u:%g:%a "$store/overlay-containers/other/userdata/secrets/s1" "$BATS_TEST_TMPDIR/mine/s1" "$own"/{group,person,second,s1}) == $'0:0:400\n0:0:400\n0:7:400\n1500:0:400\n0:0:400\n0:0:400' ]] || explain 'an owner or a mode changed'
}

@test "a volume of a pod's that the kubelet fills: a note names what is closed, and nothing changes" {
  local pod="$BATS_TEST_TMPDIR/pods/0-1/volumes/kubernetes.io~projected/token"
  mkdir -p "$pod/..2026"
  ln -s ..2026 "$pod/..data"
  ln -s ..data/token "$pod/token"
  ln -s /etc/shadow "$pod/out"
  echo t >"$pod/..2026/token"
  chmod 600 "$pod/..2026/token"
  config --arg s "$pod" '.mounts += [{destination: "/token", type: "bind", source: $s, options: ["rbind", "ro"]}]'
  runs cat /token/token
  says nonroot run "$ID"
  recorded '.notes | any(contains("\"token\" in \"/token\"") and contains("fsGroup")) and all(contains("shadow") | not)'
  [[ $(stat -c %u:%g:%a "$pod/..2026/token") == 0:0:600 ]] || explain 'it changed'
  chgrp 4000 "$pod/..2026/token"
  chmod 640 "$pod/..2026/token"
  fresh
  config --arg s "$pod" '.mounts += [{destination: "/token", type: "bind", source: $s, options: ["rbind", "ro"]}] | .process.user.additionalGids = [4000]'
  runs cat /token/token
  succeeds nonroot run "$ID"
  recorded '.notes // [] | all(contains("kubelet") | not)'
}

@test "H13: a directory of the host that the engine has made: it stays root's, and a note says what to do" {
  local data=$BATS_TEST_TMPDIR/x.service.d
  mkdir "$data"
  config --arg s "$data" '.mounts += [{destination: "/data", type: "bind", source: $s, options: ["rbind", "rw"]}]'
  runs touch /data/x.conf
  succeeds bare run "$ID"
  rm "$data/x.conf"
  fresh
  config --arg s "$data" '.mounts += [{destination: "/data", type: "bind", source: $s, options: ["rbind", "rw"]}]'
  runs touch /data/x
  says nonroot run "$ID"
  [[ $STATUS != 0 && $(stat -c %u "$data") == 0 ]] || explain 'expected it to stay root'"'"'s'
  recorded --arg d "$data" '.notes | any(contains("mounted at \"/data\" is empty and root\u0027s") and contains("run chown 65532:65532 " + $d))'
  chown 65532:65532 "$data"
  fresh
  config --arg s "$data" '.mounts += [{destination: "/data", type: "bind", source: $s, options: ["rbind", "rw"]}]'
  runs touch /data/x
  succeeds nonroot run "$ID"
  recorded '.notes // [] | all(contains("is empty") | not)'
}

@test "H14: what a mount is called is not a part of a command that a note advises" {
  local data=$BATS_TEST_TMPDIR/'$(touch got)'
  mkdir "$data"
  config --arg s "$data" '.mounts += [{destination: "/data", type: "bind", source: $s, options: ["rbind", "rw"]}]'
  runs touch /data/x
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected that it stays closed'
  recorded '.notes | any(contains("mounted at \"/data\"")) and all(contains("touch got") | not)'
}

@test "H6: volumes list does not say that there is nothing where it may not look" {
  install -m 755 "$REPO/bin/nonroot-ctl" "$BATS_TEST_TMPDIR/ctl"
  reachable
  fails_with 1 setpriv --reuid 4711 --regid 4711 --clear-groups "$BATS_TEST_TMPDIR/ctl" volumes list
  [[ $ERR == *'as root, with sudo'* ]] || explain 'expected the way to call it'
}

# joins ID makes a container that asks for root and joins the processes of another one, and has a command.
joins() {
  local other
  other=$(pid "$1")
  fresh
  config --arg p "/proc/$other/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
  runs sh -c 'kill -0 1 && echo signals; id -u; id -g; id -G; grep ^CapEff /proc/self/status'
}

@test "H11: a container that joins the processes of another one is that one's user, and may signal it" {
  config '.process.user = {uid: 1700, gid: 1701, additionalGids: [4000]}'
  detached nonroot "$ID-app"
  joins "$ID-app"
  succeeds bare run "$ID"
  contains signals
  policy <<<'identity.sources = ["kept", "volume", "image", "fixed"]'
  joins "$ID-app"
  says nonroot run "$ID"
  lacks signals
  : >"$POLICY"
  joins "$ID-app"
  succeeds nonroot run "$ID"
  [[ $OUT == $'signals\n1700\n1701\n1701\nCapEff:\t0000000000000000' ]] || explain 'expected the same user, and no more'
  recorded '.source == "joined" and (.notes | any(contains("joins the processes of uid 1700")))'
}

@test "H11: joining gives no root, nobody whom --user does not give, no group, and nothing of the host's processes" {
  # Root's, which is exempt: the bare runtime's.
  detached bare "$ID-root"
  joins "$ID-root"
  succeeds bare run "$ID"
  contains signals
  joins "$ID-root"
  says nonroot run "$ID"
  [[ $OUT == $'65532\n65532\n65532\nCapEff:\t0000000000000000' ]] || explain 'it joined root'"'"'s'
  recorded '.source == "fixed" and (.notes | any(contains("which is root")))'
  # Somebody whom the policy lets nobody be, and a group that means something.
  fresh
  config '.process.user = {uid: 1700, gid: 6}'
  detached bare "$ID-other"
  joins "$ID-other"
  succeeds nonroot run "$ID"
  [[ $OUT == $'signals\n1700\n65532\n65532\n'* ]] || explain 'a group of the host'
  policy <<<'identity.allowed_uids = ["5000-5999"]'
  joins "$ID-other"
  says nonroot run "$ID"
  [[ $OUT == 65532* ]] || explain 'out of bounds'
  # One of a range is its owner's alone.
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
identity = {range = "200000-200499", share = "container"}
TOML
  fresh
  detached nonroot "$ID-range"
  local uid
  uid=$(proc_status "$ID-range" | jq '.Uid[0]')
  [[ $uid == 200* ]] || explain "expected an id of the range, not $uid"
  joins "$ID-range"
  says nonroot run "$ID"
  [[ $OUT == 200* && $OUT != "$uid"* && $OUT != *signals* ]] || explain 'the id of another owner'
  # A person's process on the host.
  : >"$POLICY"
  fresh
  setpriv --reuid 1234 --regid 1234 --clear-groups sleep 100 3>&- &
  local person=$!
  config --arg p "/proc/$person/ns/pid" '.linux.namespaces |= map(if .type == "pid" then .path = $p else . end)'
  runs sh -c "kill -0 $person && echo signals; id -u"
  local before
  before=$(<"$BUNDLE/config.json")
  succeeds bare run "$ID"
  contains signals
  printf '%s\n' "$before" >"$BUNDLE/config.json"
  says nonroot run "$ID"
  kill "$person"
  [[ $OUT == 65532 ]] || explain 'a person of the host'
}

@test "H12: a step that makes directories in a volume for a user is that user, at each start" {
  volume v
  policy <<<'identity.sources = ["kept", "volume", "image", "fixed"]'
  local step='set -e; umask 077; mkdir -p /data/store; chown -R 1500:1500 /data; echo prepared'
  local app='echo x >>/data/store/x && echo wrote'
  with_volume v /data "$step"
  succeeds nonroot run "$ID"
  with_volume v /data "$app"
  config '.process.user = {uid: 1500, gid: 1500}'
  says nonroot run "$ID"
  lacks wrote
  : >"$POLICY"
  rm -r "$VOLUMES/v/_data"
  mkdir "$VOLUMES/v/_data"
  local round
  for round in 1 2 3; do
    with_volume v /data "$step"
    succeeds nonroot run "$ID"
    contains prepared
    recorded --argjson r "$round" 'if $r == 1 then .source == "prepared" else .source == "volume" end'
    with_volume v /data "$app"
    config '.process.user = {uid: 1500, gid: 1500}'
    succeeds nonroot run "$ID"
    contains wrote
  done
  [[ $(wc -l <"$VOLUMES/v/_data/store/x") == 3 ]]
}

@test "H12: a step that names its user by the container's environment" {
  volume v
  local step='set -e; mkdir -p "$DIR/store"; chown -R "$UID:${GID:-1501}" "$DIR"; id -u' env='["UID=1500", "DIR=/data"]'
  with_volume v /data "$step"
  config --argjson e "$env" '.process.env += $e'
  succeeds nonroot run "$ID"
  [[ $OUT == 1500 ]] || explain 'expected 1500'
  recorded '.source == "prepared"'
  [[ $(stat -c %u "$VOLUMES/v/_data") == 1500 ]] || explain 'the volume'
  # Nor root by it, nor what a policy leaves out, nor what a shell would take apart.
  volume w
  for env in '["UID=0", "DIR=/data"]' '["UID=1500 0", "DIR=/data"]' '["UID=1500", "UID=0", "DIR=/data"]' '["DIR=/data"]'; do
    with_volume w /data 'chown -R "$UID:1501" "$DIR"; id -u'
    config --argjson e "$env" '.process.env += $e'
    says nonroot run "$ID"
    contains 65532
  done
  policy <<<'identity.allowed_uids = ["5000-5999"]'
  with_volume w /data 'chown -R "$UID:1501" "$DIR"; id -u'
  config '.process.env += ["UID=1500", "DIR=/data"]'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'out of bounds'
}

@test "H12: what a command says gives no root, nobody whom --user does not give, and nothing of another one" {
  volume v
  volume w
  echo key >"$VOLUMES/w/_data/key"
  chown -R 1600:1600 "$VOLUMES/w/_data"
  chmod 700 "$VOLUMES/w/_data"
  with_volume v /data 'chown 0:0 /data; id -u; id -g'
  succeeds nonroot run "$ID"
  [[ $OUT == $'65532\n65532' ]] || explain 'it is root'
  with_volume v /data 'chown 1500:6 /data; id -u; id -G'
  succeeds nonroot run "$ID"
  [[ $OUT == $'1500\n65532' ]] || explain 'a group of the host'
  policy <<<'identity.allowed_uids = ["5000-5999"]'
  with_volume v /data 'chown 1500 /data; id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'out of bounds'
  policy <<TOML
state = "$BATS_TEST_TMPDIR/ids"
identity.range = "200000-200499"
TOML
  with_volume v /data 'chown 200007 /data; id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 200* && $OUT != 200007 ]] || explain 'of another owner'
  # What somebody has used is that one's alone, whomever a command names.
  : >"$POLICY"
  with_volume w /data 'chown -R 1500:1500 /data; id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 1600 && $(stat -c %u "$VOLUMES/w/_data/key") == 1600 ]] || explain 'the volume of somebody else'
}

@test "H5: a volume of root's in which all is one user's makes a container that asks for root that user" {
  volume v
  local data=$VOLUMES/v/_data
  install -d -o 1234 -g 4321 -m 750 "$data/site"
  install -m 640 -o 1234 -g 4321 /dev/null "$data/site/index"
  local script='set -e; chmod -R u=rwX,g=rX,o= /srv/site; echo x >>/srv/site/index; id -u'
  with_volume v /srv "$script"
  policy <<<'identity.sources = ["kept", "image", "fixed"]'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected it to be denied'
  : >"$POLICY"
  with_volume v /srv "$script"
  succeeds nonroot run "$ID"
  [[ $OUT == 1234 ]] || explain 'expected the owner of what is in the volume'
  recorded '.notes // [] | all(test("still belongs? to root") | not)'
  # What root has written there since, chmod may not touch.
  echo x >"$data/site/new"
  with_volume v /srv "$script"
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected chmod to be denied'
  recorded '.notes | any(contains("still belong to root, such as \"site/new\"") and contains("volumes adopt --user 1234:4321"))'
  rm "$data/site/new"
  # Something of root's, or of another one, and it is nobody's.
  echo x >"$data/roots"
  with_volume v /srv 'id -u'
  succeeds nonroot run "$ID"
  [[ $OUT == 65532 ]] || explain 'something is root'"'"'s'
}

@test "H6: a volume of a service's in which root has written what is closed: one note, and adopt mends it" {
  volume v
  local data=$VOLUMES/v/_data log=$BATS_TEST_TMPDIR/engine.log
  chown 65532:65532 "$data"
  install -m 600 /dev/null "$data/rotated"
  echo old >"$data/rotated"
  printf 'state = "%s"\n' "$BATS_TEST_TMPDIR/state" >"$POLICY"
  with_volume v /data 'cat /data/rotated'
  says nonroot --log "$log" run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected it to be closed'
  recorded --arg d "$data" '.root_volumes == [$d] and ([.notes[] | select(contains($d))] | length == 1 and (.[0] | contains("still belong to root, such as \"rotated\"") and contains("volumes adopt --user 65532:65532 " + $d)))'
  grep -q 'volumes adopt' "$log" || explain 'the log of the engine'
  succeeds "$REPO/bin/nonroot-ctl" volumes adopt --policy "$POLICY" --user 65532:65532 "$data"
  with_volume v /data 'cat /data/rotated'
  succeeds nonroot run "$ID"
  recorded 'has("root_volumes") | not'
  # What it has left in a directory of the user's, as a web application its lock.
  install -d -o 65532 -g 65532 "$data/uploads"
  echo old >"$data/uploads/lock"
  with_volume v /data ': >/data/uploads/lock'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected it to be closed'
  recorded --arg d "$data" '.root_volumes == [$d] and (.notes | any(contains("such as \"uploads/lock\"")))'
}

@test "H6: a volume of a service's in which root has made what the service can't change: one note, unless it is the image's" {
  volume v
  local data=$VOLUMES/v/_data
  mkdir -p "$BUNDLE/rootfs/data/pages" "$data/pages"
  install -m 644 /dev/null "$BUNDLE/rootfs/data/pages/of-image"
  install -m 644 /dev/null "$data/pages/of-image"
  chown 65532:65532 "$data" "$data/pages"
  printf 'state = "%s"\n' "$BATS_TEST_TMPDIR/state" >"$POLICY"
  with_volume v /data 'echo new >>/data/pages/lock'
  succeeds nonroot run "$ID"
  recorded 'has("root_volumes") | not'
  rm "$data/pages/lock"
  install -m 644 /dev/null "$data/pages/lock"
  with_volume v /data 'echo new >>/data/pages/lock'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected it to be closed'
  recorded --arg d "$data" '.root_volumes == [$d] and any(.notes[]; contains("still belong to root, such as \"pages/lock\"") and contains("volumes adopt --user 65532:65532 " + $d))'
  succeeds "$REPO/bin/nonroot-ctl" volumes adopt --policy "$POLICY" --user 65532:65532 "$data"
  with_volume v /data 'echo new >>/data/pages/lock'
  succeeds nonroot run "$ID"
  recorded 'has("root_volumes") | not'
}

@test "H15: a volume from before that group 0 may write: a note, and adopt gives its group; owners, modes and what is closed stay" {
  volume v
  local data=$VOLUMES/v/_data log=$BATS_TEST_TMPDIR/engine.log ctl=("$REPO/bin/nonroot-ctl" volumes)
  # As S2I and hardened images leave it: the top is root's and group 0's, what was written since is the user's.
  chmod 775 "$data"
  echo old >"$data/table"
  chown 1001:0 "$data/table"
  mkdir -m 770 "$data/shared"
  echo secret >"$data/secret"
  chmod 600 "$data/secret"
  install -m 4775 /bin/true "$data/setuid"
  printf 'state = "%s"\n' "$BATS_TEST_TMPDIR/state" >"$POLICY"
  local write='echo new >>/data/table; cat /data/secret; touch /data/shared/x && touch /data/x && echo wrote'
  with_volume v /data "$write"
  config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
  succeeds bare run "$ID"
  contains wrote
  rm "$data/x" "$data/shared/x"
  local mode
  for mode in audit rewrite; do
    printf 'state = "%s"\nmode = "%s"\n' "$BATS_TEST_TMPDIR/state" "$mode" >"$POLICY"
    with_volume v /data "$write"
    config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
    says nonroot --log "$log" run "$ID"
    recorded --arg d "$data" '.root_volumes == [$d] and ([.notes[] | select(contains($d))] | length == 1 and (.[0] | contains("is open to root'"'"'s group") and endswith("nonroot-ctl volumes adopt --group 65532 " + $d)))'
    grep -q 'volumes adopt --group' "$log" || explain 'the log of the engine'
    rm -f "$data/x" "$data/shared/x" "$log"
  done
  lacks wrote
  # Whom it was closed to as well has no note.
  with_volume v /data "$write"
  config '.process.user = {uid: 1001, gid: 1001, additionalGids: []}'
  says nonroot run "$ID"
  lacks wrote
  recorded 'has("root_volumes") | not'
  local before
  before=$(stat -c '%n %u %a' "$data" "$data"/*)
  fails_with 1 "${ctl[@]}" adopt --policy "$POLICY" --group 0 "$data"
  fails_with 1 "${ctl[@]}" adopt --policy "$POLICY" --group 65532 --user 1001:65532 "$data"
  succeeds "${ctl[@]}" adopt --policy "$POLICY" --dry-run --group 65532 "$data"
  contains 'would change the group of 2 files'
  [[ $(stat -c %g "$data") == 0 ]]
  succeeds "${ctl[@]}" adopt --policy "$POLICY" --group 65532 "$data"
  contains 'changed the group of 2 files'
  contains 'setuid: it is setuid'
  [[ $(stat -c '%n %u %a' "$data" "$data"/*) == "$before" ]] || explain 'an owner or a mode changed'
  [[ $(stat -c %g "$data" "$data"/{secret,setuid,shared,table}) == $'65532\n0\n0\n65532\n0' ]] || explain 'the groups'
  with_volume v /data "$write"
  config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
  succeeds nonroot run "$ID"
  [[ $OUT == wrote ]] || explain 'expected it to write, and not to read the secret'
  recorded 'has("root_volumes") | not'
  # The owners may follow, and undo takes both back.
  succeeds "${ctl[@]}" adopt --policy "$POLICY" --user 1001:65532 "$data"
  [[ $(stat -c %u:%g "$data") == 1001:65532 ]] || explain 'the owner'
  succeeds "${ctl[@]}" undo --policy "$POLICY" "$data"
  [[ $(stat -c %u:%g "$data" "$data"/{secret,setuid,shared,table}) == $'0:0\n0:0\n0:0\n0:0\n1001:0' ]] || explain "not given back: $(stat -c %u:%g "$data" "$data"/{secret,setuid,shared,table})"
}

@test "H15: a new volume that the engine has filled for group 0 is open to the group of who asked for it" {
  mkdir -p "$ROOTFS/opt/app/data"
  echo 1 >"$ROOTFS/opt/app/data/f"
  chmod 775 "$ROOTFS/opt/app/data"
  chmod 664 "$ROOTFS/opt/app/data/f"
  layered
  volume v
  cp -a "$ROOTFS/opt/app/data/." "$VOLUMES/v/_data/"
  chmod 775 "$VOLUMES/v/_data"
  with_volume v /opt/app/data 'echo 2 >>/opt/app/data/f && touch /opt/app/data/x && echo wrote'
  config '.process.user = {uid: 1001, gid: 0, additionalGids: []}'
  succeeds nonroot run "$ID"
  contains wrote
  recorded 'has("root_volumes") | not'
  [[ $(stat -c %u:%g "$VOLUMES/v/_data" "$VOLUMES/v/_data/f") == $'0:65532\n0:65532' ]] || explain 'an owner changed'
}

@test "H5: volumes from before that two containers share: both are told, also when each was given to another, and adopt makes them one user again" {
  volume data
  volume backup
  local data=$VOLUMES/data/_data backup=$VOLUMES/backup/_data ctl=("$REPO/bin/nonroot-ctl" volumes adopt --policy "$POLICY") command
  printf 'state = "%s"\n' "$BATS_TEST_TMPDIR/state" >"$POLICY"
  install -m 600 /dev/null "$data/table"
  install -m 600 /dev/null "$backup/round-1"
  chmod 700 "$data"
  # saves starts another image's job with the volumes of the database.
  saves() {
    with_volume data /data 'id -u; cp /data/table /backup/round-2'
    config --arg v "$backup" '.mounts += [{destination: "/backup", type: "bind", source: $v, options: ["rbind", "rw"]}]'
    says nonroot run "$ID"
  }
  # advised runs the one command of a note about a volume.
  advised() {
    command=$(jq -r --arg d "$1" '[.notes[] | capture("nonroot-ctl (?<c>volumes adopt [^;]*)").c | select(endswith($d))] | if length == 1 then .[0] else error("several") end' "$BUNDLE/nonroot-runc.json")
    # shellcheck disable=SC2086 # words, as somebody types them
    succeeds "${ctl[@]}" ${command#volumes adopt }
  }
  printf 'app:x:4999:4999::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  printf 'app:x:4999:\n' >>"$ROOTFS/etc/group"
  with_volume data /data 'echo more >>/data/table'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected it to be closed'
  advised "$data"
  [[ $command == *'--user 4999:4999 '* ]] || explain "advised: $command"
  sed -i /^app:/d "$ROOTFS"/etc/{passwd,group}
  chown -R 0:0 "$data"
  saves
  [[ $STATUS != 0 ]] || explain 'expected it to be closed'
  recorded --arg d "$data" '.notes | any(contains("adopt --user 65532:65532 " + $d + "; where a container with it is its image'"'"'s user, name that one"))'
  advised "$backup"
  chown -R 4999:4999 "$data"
  # Each has another user by now.
  saves
  [[ $STATUS != 0 && $OUT == 65532 ]] || explain 'expected it to be neither'
  recorded '.notes | any(contains("different users, 4999 and 65532"))'
  advised "$backup"
  [[ $command == "volumes adopt --from 65532:65532 --user 4999:4999 $backup" ]] || explain "advised: $command"
  saves
  [[ $STATUS == 0 && $OUT == 4999 && $(stat -c %u:%g "$backup"/round-{1,2}) == $'4999:4999\n4999:4999' ]] || explain 'expected one user'
}

@test "H17: what a user wrote in a home that the image opens to group 0 is there at each further start" {
  mkdir -p "$ROOTFS/opt/app/src"
  chmod 775 "$ROOTFS/opt/app/src"
  printf 'default:x:1001:0:Default:/opt/app/src:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  layered
  local start
  for start in 1 2 3; do
    fresh
    rm -f "$BUNDLE/nonroot-runc.json" "$BUNDLE/nonroot-asked.json"
    config '.process.user = {uid: 1001, gid: 0, additionalGids: []} | .process.env += ["HOME=/opt/app/src"]'
    runs sh -c 'echo x >>~/f; wc -l <~/f; echo "in $HOME"'
    succeeds nonroot run "$ID"
    [[ $OUT == "$start"$'\nin /opt/app/src' ]] || explain "start $start"
  done
  # What the policy keeps for root is not said to stay.
  relayered
  printf 'adapt.keep = ["/opt/app"]\n' >"$POLICY"
  fresh
  config '.process.user = {uid: 1001, gid: 0, additionalGids: []} | .process.env += ["HOME=/opt/app/src"]'
  runs sh -c 'touch ~/f && echo wrote'
  succeeds nonroot run "$ID"
  contains wrote
}

@test "H14: a volume's name that a shell would read stands in no command" {
  volume v
  mv "$VOLUMES/v" "$VOLUMES/v\$(touch got)"
  local data=$VOLUMES/'v$(touch got)'/_data
  echo old >"$data/x"
  config --arg s "$data" '.mounts += [{destination: "/data", type: "bind", source: $s, options: ["rbind", "rw"]}]'
  runs sh -c 'echo new >>/data/x'
  says nonroot run "$ID"
  [[ $STATUS != 0 ]] || explain 'expected that it stays closed'
  recorded '.notes | any(contains("must be quoted")) and all(contains("volumes adopt --") | not)'
}
