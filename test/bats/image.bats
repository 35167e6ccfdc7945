#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The image's user: an image that asks for root, but was built for an account, runs as that one.

load helpers

# account NAME UID GID HOME adds one with a group of its name to the image.
account() {
  printf '%s:x:%s:%s::%s:/bin/sh\n' "$1" "$2" "$3" "$4" >>"$ROOTFS/etc/passwd"
  printf '%s:x:%s:\n' "$1" "$3" >>"$ROOTFS/etc/group"
}

# keeps DIRECTORY UID: what the image keeps there is that uid's.
keeps() {
  mkdir -p "$ROOTFS/$1"
  chown "$2" "$ROOTFS/$1"
}

# recorded FILTER [ARGS...] is true of the record.
recorded() { jq -e "$@" "$BUNDLE/nonroot-runc.json" >/dev/null || explain "the record: $(<"$BUNDLE/nonroot-runc.json")"; }

fixed() {
  nonroot_shows 'nonroot(65532; 65532)'
  recorded '.source == "fixed"'
}

@test "redis: an account of its own, whose directories are its own already" {
  account redis 4999 4998 /home/redis
  keeps var/lib/redis 4999:4998
  chmod 750 "$ROOTFS/var/lib/redis"
  reachable
  config '.process.env += ["HOME=/root"] | .process.cwd = "/var/lib/redis"'
  runs sh -c 'id; echo "home $HOME"; touch dump && touch "$HOME/mine" && echo written'
  succeeds nonroot run "$ID"
  contains 'uid=4999(redis) gid=4998(redis)'
  contains 'home /home/redis'
  contains written
  [[ $(stat -c %u:%g "$ROOTFS/var/lib/redis/dump") == 4999:4998 ]]
  recorded '.source == "image" and .identity.uid == 4999 and .name == "redis" and (.asked.uid // 0) == 0'
}

@test "the promises hold for it, and exec is it, too" {
  account redis 4999 4998 /home/redis
  nonroot_shows 'nonroot(4999; 4998)'
  fresh
  detached nonroot
  status_shows 'uid(4999) and gid(4998) and powerless' "$ID"
  process '.args = ["probe"]'
  shows 'nonroot(4999; 4998)' nonroot exec --process "$PROCESS" "$ID"
  process '.args = ["probe"] | .user = {uid: 1234, gid: 1234}'
  shows 'nonroot(1234; 1234)' nonroot exec --process "$PROCESS" "$ID"
}

@test "a home with its files stays its home, and nothing is mounted over it" {
  account redis 4999 4998 /var/lib/redis
  keeps var/lib/redis 4999:4998
  echo precious >"$ROOTFS/var/lib/redis/dump"
  chown 4999 "$ROOTFS/var/lib/redis/dump"
  config '.process.env += ["HOME=/root"]'
  runs sh -c 'echo "home $HOME"; cat "$HOME/dump"; touch "$HOME/mine" && echo written; grep -c nonroot-home /proc/mounts'
  reachable
  says nonroot run "$ID"
  contains 'home /var/lib/redis'
  contains precious
  contains written
  [[ ${OUT##*$'\n'} == 0 ]] || explain 'a home was mounted'
}

@test "an empty directory of a service's is not covered either" {
  account redis 4999 4998 /var/lib/redis
  keeps var/lib/redis 4999:4998
  runs sh -c 'echo "home $HOME"; touch /var/lib/redis/dump && echo written'
  reachable
  succeeds nonroot run "$ID"
  lacks 'home /var/lib/redis'
  contains written
  [[ -e $ROOTFS/var/lib/redis/dump ]]
}

@test "www-data, which owns what the image keeps; its web site is not covered" {
  keeps var/lib/php/sessions 33:33
  mkdir -p "$ROOTFS/var/www"
  echo site >"$ROOTFS/var/www/index.html"
  reachable
  runs sh -c 'id; touch /var/lib/php/sessions/s && cat /var/www/index.html'
  succeeds nonroot run "$ID"
  contains 'uid=33(www-data) gid=33(www-data)'
  contains site
  recorded '.source == "image"'
}

@test "an account of group root gets the policy's group" {
  printf 'grafana:x:4472:0::/:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  keeps var/lib/grafana 4472:0
  nonroot_shows 'nonroot(4472; 65532)'
}

@test "one whose group is privileged on the host gets the policy's group" {
  local gid
  gid=$(getent group disk | cut -d: -f3)
  printf 'app:x:4999:%s::/:/bin/sh\n' "$gid" >>"$ROOTFS/etc/passwd"
  sed -i '/^disk:/d' "$ROOTFS/etc/group"
  printf 'app:x:%s:\n' "$gid" >>"$ROOTFS/etc/group"
  nonroot_shows 'nonroot(4999; 65532)'
}

@test "two accounts: none of them, and the record says which" {
  account redis 4999 4999 /home/redis
  account app 5000 5000 /home/app
  fixed
  recorded '.notes | any(contains("\"redis\", \"app\""))'
}

@test "two that own state: none of them, and the record says which" {
  keeps var/lib/a 33
  keeps var/spool/b 2
  fixed
  recorded '.notes | any(contains("\"bin\", \"www-data\""))'
}

@test "a distribution without more is built for nobody" {
  fixed
  recorded '(.notes // []) | any(contains("built for")) | not'
}

@test "links in place of the directories with state lead nowhere" {
  mkdir "$BATS_TEST_TMPDIR/outside"
  mkdir "$BATS_TEST_TMPDIR/outside/x"
  chown 33 "$BATS_TEST_TMPDIR/outside/x"
  mkdir -p "$ROOTFS/var/log" "$ROOTFS/etc/x"
  chown 33 "$ROOTFS/etc/x"
  ln -s /etc "$ROOTFS/var/lib"
  ln -s "$BATS_TEST_TMPDIR/outside" "$ROOTFS/var/log/x"
  ln -s ../../../../../../../../../../../"$BATS_TEST_TMPDIR/outside" "$ROOTFS/var/cache"
  mkfifo "$ROOTFS/var/spool"
  fixed
}

@test "hostile accounts: second roots, numbers that wrap around, NIS, the same uid and name twice" {
  cat >>"$ROOTFS/etc/passwd" <<'EOT'
toor:x:0:0::/root:/bin/sh
wrap:x:4294967296:4294967296::/:/bin/sh
minus:x:-1:-1::/:/bin/sh
leave:x:4294967295:4294967295::/:/bin/sh
big:x:2147483648:2147483648::/:/bin/sh
+nis:x:77:77::/:/bin/sh
app:x:0:0::/root:/bin/sh
app:x:4999:4999::/home/app:/bin/sh
root:x:4999:4999::/root:/bin/sh
EOT
  printf '%s:x:%s:\n' toor 0 minus -1 big 2147483648 nis 77 app 4999 >>"$ROOTFS/etc/group"
  nonroot_shows 'nonroot(4999; 4999)'
  recorded '.source == "image" and .name != "root" and .name != "app"'
}

@test "ten thousand accounts are looked at for no long time" {
  seq 10001 20000 | sed 's,.*,p&:x:&:4999::/:/bin/sh,' >>"$ROOTFS/etc/passwd"
  printf 'people:x:4999:\n' >>"$ROOTFS/etc/group"
  fixed
  recorded '.notes | any(contains("too many to look at"))'
}

@test "a passwd from outside does not say who the service user is" {
  printf 'root:x:0:0::/root:/bin/sh\nalice:x:1000:1000::/home/alice:/bin/sh\n' >"$BATS_TEST_TMPDIR/passwd"
  printf 'root:x:0:\nalice:x:1000:\n' >"$BATS_TEST_TMPDIR/group"
  config --arg d "$BATS_TEST_TMPDIR" '.mounts += (["passwd", "group"] | map({destination: ("/etc/" + .), type: "bind", source: ($d + "/" + .), options: ["bind"]}))'
  fixed
}

@test "in a user namespace, the owners are the container's" {
  account redis 999 998 /home/redis
  mapped
  runs sleep 100
  detached nonroot
  status_shows 'uid(100999) and gid(100998) and powerless' "$ID"
}

@test "in a user namespace, state is its owner's" {
  keeps var/lib/php 33:33
  mapped
  chown 100033:100033 "$ROOTFS/var/lib/php"
  runs sleep 100
  detached nonroot
  status_shows 'uid(100033) and gid(100033) and powerless' "$ID"
}

@test "allowed_uids bounds it, and a policy can leave it out" {
  account redis 4999 4998 /home/redis
  policy <<<'identity.allowed_uids = ["5000-5999"]'
  fixed
  recorded '.notes | any(contains("\"redis\" (4999), which allowed_uids does not have"))'
  fresh
  policy <<<'identity.sources = ["requested", "kept", "fixed"]'
  fixed
  fresh
  policy <<<'identity.allowed_uids = ["4000-4999"]'
  nonroot_shows 'nonroot(4999; 4998)'
}

@test "mode refuse refuses it, mode audit says what it would be" {
  account redis 4999 4998 /home/redis
  policy <<<'mode = "refuse"'
  refused 'asks for root' nonroot run "$ID"
  policy <<<'mode = "audit"'
  runs id -u
  succeeds nonroot run "$ID"
  [[ $OUT == 0 ]]
  recorded '.mode == "audit" and .source == "image" and .identity.uid == 4999'
}

# movable_passwd makes /etc/passwd and group links to a place in /data, as images do whose programs edit them.
movable_passwd() {
  mkdir -p "$ROOTFS/data/v1"
  mv "$ROOTFS/etc/passwd" "$ROOTFS/etc/group" "$ROOTFS/data/v1/"
  ln -s v1 "$ROOTFS/data/etc"
  ln -s ../data/etc/passwd "$ROOTFS/etc/passwd"
  ln -s /data/etc/group "$ROOTFS/etc/group"
}

# forges makes the container's process leave an account of its own choice. Our copies are mounted over the files, but the
# directory, with the link in it, is the identity's.
forges() {
  runs sh -c 'id -u; cp -r /data/v1 /data/v2 && ln -sfn v2 /data/etc &&
    echo evil:x:4999:4999::/:/bin/sh >>/data/etc/passwd && echo evil:x:4999: >>/data/etc/group && echo forged'
}

@test "A15: what the container's process has left in its own layer does not choose whose its next start is" {
  movable_passwd
  layered
  forges
  succeeds nonroot run "$ID"
  contains $'65532\nforged'
  grep -q evil "$ROOTFS/data/etc/passwd"
  fresh
  fixed
  # Of several layers, too.
  umount "$ROOTFS"
  mkdir -p "$BATS_TEST_TMPDIR/layers/second/etc"
  mount -t overlay -o "lowerdir=$BATS_TEST_TMPDIR/layers/second:$BATS_TEST_TMPDIR/layers/image,upperdir=$BATS_TEST_TMPDIR/layers/upper,workdir=$BATS_TEST_TMPDIR/layers/work" overlay "$ROOTFS"
  grep -q evil "$ROOTFS/data/etc/passwd"
  fresh
  fixed
  # Nor may it choose a name that is requested, or the group of a kept uid.
  policy <<<'identity.requests = ["annotation"]'
  fresh
  config '.annotations["io.nonroot-runc.user"] = "evil"'
  refused 'neither a uid' nonroot run "$ID"
  fresh
  config '.process.user = {uid: 4999, gid: 0}'
  nonroot_shows 'nonroot(4999; 65532)'
  # The image's own account still does.
  umount "$ROOTFS"
  printf 'app:x:4998:4998::/home/app:/bin/sh\n' >>"$BATS_TEST_TMPDIR/layers/image/data/v1/passwd"
  printf 'app:x:4998:\n' >>"$BATS_TEST_TMPDIR/layers/image/data/v1/group"
  overlaid
  fresh
  nonroot_shows 'nonroot(4998; 4998)'
  unlayered
}

# made_at_start is an image whose passwd and group are links to what its process makes in /tmp, as some entrypoints do.
made_at_start() {
  rm "$ROOTFS/etc/passwd" "$ROOTFS/etc/group"
  ln -s /tmp/.passwd "$ROOTFS/etc/passwd"
  ln -s /tmp/.group "$ROOTFS/etc/group"
  mkdir -p "$ROOTFS/tmp"
  chmod 1777 "$ROOTFS/tmp"
}

# victim makes the process name an account of its own choice there.
victim() {
  runs sh -c 'id -u; printf "root:x:0:0::/root:/bin/sh\nvictim:x:1234:1234::/:/bin/sh\n" >/tmp/.passwd; printf "root:x:0:\nvictim:x:1234:\n" >/tmp/.group; id -u victim'
}

@test "A15: a passwd that is a link to what the container's process makes does not choose whose its next start is" {
  made_at_start
  layered
  # By the bare runtime, who reads the container's own layer finds the account as the image's.
  victim
  succeeds bare run "$ID"
  contains $'0\n1234'
  grep -q victim "$ROOTFS/tmp/.passwd"
  relayered
  victim
  succeeds nonroot run "$ID"
  contains $'65532\n1234'
  grep -q victim "$ROOTFS/tmp/.passwd"
  fresh
  fixed
  # The second start leaves it, too, and by an exec nobody is made of root but the container's own.
  fresh
  detached nonroot
  process '.args = ["id", "-u"]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == 65532 ]]
  bare delete --force "$ID"
  # Without an overlay nobody can tell who made it.
  umount "$ROOTFS"
  cp -a "$BATS_TEST_TMPDIR/layers/image/." "$ROOTFS"
  printf 'root:x:0:0::/root:/bin/sh\nvictim:x:1234:1234::/:/bin/sh\n' >"$ROOTFS/tmp/.passwd"
  printf 'root:x:0:\nvictim:x:1234:\n' >"$ROOTFS/tmp/.group"
  chown 65532:65532 "$ROOTFS/tmp/.passwd" "$ROOTFS/tmp/.group"
  fresh
  fixed
  # On a tmpfs what is there is the process's, as well.
  fresh
  config '.mounts += [{destination: "/tmp", type: "tmpfs", source: "tmpfs", options: ["mode=1777"]}]'
  fixed
  unlayered
}

@test "A15: without an overlay, what others than root can have written says nothing" {
  account app 4998 4998 /home/app
  movable_passwd
  nonroot_shows 'nonroot(4998; 4998)'
  fresh
  chown 65532 "$ROOTFS/data/v1/passwd"
  fixed
  chown 0 "$ROOTFS/data/v1/passwd"
  chmod o+w "$ROOTFS/data"
  fresh
  fixed
  # A link that others can lead elsewhere chooses among root's own files.
  chmod o-w "$ROOTFS/data"
  chown -h 65532 "$ROOTFS/data/etc"
  fresh
  fixed
  chown -h 0 "$ROOTFS/data/etc"
  fresh
  nonroot_shows 'nonroot(4998; 4998)'
  # Images for any uid have theirs open to group 0, in which nobody is.
  chmod g+w "$ROOTFS/data/v1/passwd" "$ROOTFS/data"
  fresh
  nonroot_shows 'nonroot(4998; 4998)'
}

@test "directories that root made in the container's own layer do not say whom its image was built for" {
  mkdir -p "$ROOTFS/var/lib/php"
  layered
  runs sh -c 'mkdir -p /var/lib/nginx/body && chown 33:33 /var/lib/nginx /var/lib/nginx/body'
  succeeds bare run "$ID"
  [[ $(stat -c %u "$ROOTFS/var/lib/nginx") == 33 ]]
  runs probe
  fixed
  # Those of the image do, also where the container has written in them since.
  umount "$ROOTFS"
  chown 33:33 "$BATS_TEST_TMPDIR/layers/image/var/lib/php"
  rm -rf "$BATS_TEST_TMPDIR/layers/upper"/*
  overlaid
  fresh
  runs sh -c 'touch /var/lib/php/session && id -u'
  succeeds nonroot run "$ID"
  contains 33
  chown 7:7 "$ROOTFS/var/lib/php"
  fresh
  nonroot_shows 'nonroot(33; 33)'
  unlayered
}
