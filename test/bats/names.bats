#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a name (SECURITY.md C13).

load helpers

prints_names() { runs sh -c 'whoami; id -un; id -gn; echo "$USER $LOGNAME $HOME"; grep "^[^:]*:x:$(id -u):" /etc/passwd; grep ":$(id -g):" /etc/group'; }

@test "whoami, USER, LOGNAME and the entries agree" {
  prints_names
  succeeds nonroot run "$ID"
  [[ ${OUT//$'\n'/ } =~ ^'nonroot nonroot nonroot nonroot nonroot /home/nonroot nonroot:x:65532:65532:'[^:]+':/home/nonroot:/bin/sh nonroot:x:65532:' ]] ||
    explain 'names do not agree'
}

@test "a user of the image keeps its name" {
  config '.process.user = {uid: 33, gid: 33}'
  prints_names
  succeeds nonroot run "$ID"
  contains 'www-data www-data'
  # Its home is the web site on many images; nothing is mounted over that.
  lacks '/var/www:/bin/sh'
}

@test "a uid that the image does not know gets a name" {
  config '.process.user = {uid: 4321, gid: 4321}'
  runs sh -c 'whoami && id -gn'
  says bare run "$ID"
  [[ $STATUS != 0 ]]
  succeeds nonroot run "$ID"
}

@test "the image's own files are not touched, and the copies cannot be written" {
  runs sh -c 'echo x >>/etc/passwd; echo x >>/etc/group; grep -E " /etc/(passwd|group) .*\bro\b" /proc/mounts | wc -l'
  says nonroot run "$ID"
  [[ $OUT == 2 ]]
  cmp "$ROOTFS/etc/passwd" "$NONROOT_BATS_KIT/etc/passwd"
  cmp "$ROOTFS/etc/group" "$NONROOT_BATS_KIT/etc/group"
}

@test "an image without passwd, without /etc, from scratch" {
  rm "$ROOTFS/etc/passwd" "$ROOTFS/etc/group"
  prints_names
  succeeds nonroot run "$ID"
  contains 'nonroot nonroot'
  fresh
  rm -r "${ROOTFS:?}/etc"
  nonroot_shows nonroot
  fresh
  mv "$ROOTFS/bin/probe" "$BATS_TEST_TMPDIR/probe"
  rm -r "$ROOTFS"
  mkdir "$ROOTFS"
  mv "$BATS_TEST_TMPDIR/probe" "$ROOTFS/probe"
  runs /probe
  nonroot_shows nonroot
}

@test "C13: the host's shadow mounted as passwd is not published" {
  printf 'root:x:0:0::/:/bin/sh\nleak:$6$hash:19000:0:99999:7:::\n' >"$BATS_TEST_TMPDIR/shadow"
  chmod 640 "$BATS_TEST_TMPDIR/shadow"
  config --arg source "$BATS_TEST_TMPDIR/shadow" \
    '.mounts += [{destination: "/etc/passwd", type: "bind", source: $source, options: ["bind", "ro"]}]'
  runs cat /etc/passwd
  succeeds bare run "$ID"
  contains '$6$hash'
  says nonroot run "$ID"
  lacks '$6$hash'
  grep -rlF '$6$hash' "$BUNDLE" && return 1
  runs probe
  nonroot_shows nonroot
}

@test "C13: a readable file in the place of passwd gives well-formed lines only" {
  printf 'root:x:0:0::/:/bin/sh\nleak:$6$hash:19000:0:99999:7:::\nno line at all\n' >"$BATS_TEST_TMPDIR/file"
  config --arg source "$BATS_TEST_TMPDIR/file" \
    '.mounts += [{destination: "/etc/passwd", type: "bind", source: $source, options: ["bind", "ro"]}]'
  runs cat /etc/passwd
  succeeds nonroot run "$ID"
  lacks '$6$hash'
  lacks 'no line at all'
}

@test "C13: a passwd of somebody's own, which not everyone may read, is not published" {
  printf 'root:x:0:0::/:/bin/sh\nleak:x:1234:1234:private words:/:/bin/sh\n' >"$BATS_TEST_TMPDIR/private"
  chmod 640 "$BATS_TEST_TMPDIR/private"
  config --arg source "$BATS_TEST_TMPDIR/private" \
    '.mounts += [{destination: "/etc/passwd", type: "bind", source: $source, options: ["bind", "ro"]}]'
  runs cat /etc/passwd
  succeeds bare run "$ID"
  contains 'private words'
  succeeds nonroot run "$ID"
  lacks 'private words'
  grep -rlF 'private words' "$BUNDLE" && return 1
  chmod 644 "$BATS_TEST_TMPDIR/private"
  fresh
  config --arg source "$BATS_TEST_TMPDIR/private" \
    '.mounts += [{destination: "/etc/passwd", type: "bind", source: $source, options: ["bind", "ro"]}]'
  runs cat /etc/passwd
  succeeds nonroot run "$ID"
  contains 'private words'
}

@test "C13: a volume at /etc gets nothing on the host" {
  mkdir "$BATS_TEST_TMPDIR/volume"
  config --arg source "$BATS_TEST_TMPDIR/volume" \
    '.mounts += [{destination: "/etc", type: "bind", source: $source, options: ["rbind", "rw"]}]'
  nonroot_shows nonroot
  [[ -z $(ls -A "$BATS_TEST_TMPDIR/volume") ]]
}

@test "a passwd that is a link is read inside the image, never on the host" {
  printf 'leaked:x:65532:65532:leaked:/:/bin/sh\n' >"$BATS_TEST_TMPDIR/outside"
  ln -sf "$(printf '../%.0s' {1..30})$BATS_TEST_TMPDIR/outside" "$ROOTFS/etc/passwd"
  runs sh -c 'cat /etc/passwd; id -u'
  says nonroot run "$ID"
  lacks leaked
}

# handwritten LINE GROUP puts a user and a group into the image's files as people write them, for whom the container asks by
# number. The engine sets no HOME, as Docker does not.
handwritten() {
  printf '%b\n' "$1" >>"$ROOTFS/etc/passwd"
  printf '%b\n' "$2" >>"$ROOTFS/etc/group"
  mkdir -p "$ROOTFS/home/b/.local"
  chown -R 1001:1001 "$ROOTFS/home/b"
  config '.process.user = {uid: 1001, gid: 1001}'
  runs sh -c 'echo "$(id -un) $(id -gn) $USER $HOME"; touch ~/mine && ls -A ~ | grep -c local'
}

@test "a user whose line engines and glibc read keeps name and home, however it is written" {
  cp "$ROOTFS/etc/passwd" "$ROOTFS/etc/group" "$BATS_TEST_TMPDIR"
  for line in 'b:x:1001:1001:B:/home/b' 'b:x:1001:1001:B:/home/b:/bin/sh\r' 'b:x:01001:1001:B:/home/b:/bin/sh' \
    ' b:x: 1001:1001:B:/home/b:/bin/sh'; do
    for group in 'b:x:1001' 'b:x:1001:\r' 'b:x:01001:'; do
      handwritten "$line" "$group"
      succeeds nonroot run "$ID"
      [[ $OUT == $'b b b /home/b\n1' ]] || explain "expected the user's own names and home of $line and $group"
      fresh
      cp "$BATS_TEST_TMPDIR/passwd" "$BATS_TEST_TMPDIR/group" "$ROOTFS/etc"
    done
  done
  # Four fields name no home.
  handwritten 'b:x:1001:1001' 'b:x:1001'
  rm -r "$ROOTFS/home/b"
  runs sh -c 'echo "$(id -un) $(id -gn) $USER $HOME"'
  succeeds nonroot run "$ID"
  [[ $OUT == 'b b b /home/b' ]]
  fresh
  # So in exec: the copy has the line that the container was given.
  cp "$BATS_TEST_TMPDIR/passwd" "$BATS_TEST_TMPDIR/group" "$ROOTFS/etc"
  handwritten 'b:x:1001:1001:B:/home/b' 'b:x:1001'
  detached nonroot
  process '.args = ["sh", "-c", "echo $(id -un) $USER $HOME"] | .user = {uid: 1001, gid: 1001}'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == 'b b /home/b' ]]
}

@test "a line whose uid is not a number is nobody's" {
  printf 'b:x:abc:1001:B:/home/b\nc:x:+1001:1001:C:/home/c:/bin/sh\n' >>"$ROOTFS/etc/passwd"
  config '.process.user = {uid: 1001, gid: 1001}'
  runs id -un
  succeeds nonroot run "$ID"
  [[ $OUT == nonroot ]]
  policy <<<'identity.requests = ["annotation"]'
  fresh
  config '.annotations["io.nonroot-runc.user"] = "b"'
  refused 'neither a uid' nonroot run "$ID"
}
