#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a home of its own (SECURITY.md C10, C11).

load helpers

teardown() {
  end_containers
  unlayered
}

# prints_home makes the container say where its home is, whose it is, and whether it can be written.
prints_home() { runs sh -c 'echo "home $HOME"; stat -c "owner %u:%g mode %a" "$HOME"; echo x >"$HOME/file" && echo written; grep " $HOME tmpfs " /proc/mounts'; }

@test "a tmpfs, 0700, sized, nosuid, nodev, owned by the identity" {
  prints_home
  succeeds nonroot run "$ID"
  contains 'home /home/nonroot'
  contains 'owner 65532:65532 mode 700'
  contains written
  [[ $OUT =~ \ /home/nonroot\ tmpfs\ rw,nosuid,nodev.*size= ]] || explain 'of the mount'
  lacks noexec
}

@test "programs run from it" {
  runs sh -c 'cp /bin/busybox "$HOME/true" && "$HOME/true" && echo ran'
  succeeds nonroot run "$ID"
  contains ran
}

@test "it is gone with the container, and nothing of it is left in the image" {
  prints_home
  succeeds nonroot run "$ID"
  runs sh -c 'ls -A "$HOME"'
  succeeds nonroot run "$ID"
  [[ -z $OUT && ! -e $ROOTFS/home/nonroot/file ]]
}

@test "C10: a link at the home's place leads the mount to /etc" {
  ln -s /etc "$ROOTFS/home/nonroot"
  runs sh -c 'stat -c "owner %u" /etc; grep " /etc " /proc/mounts'
  cp config.json "$BATS_TEST_TMPDIR/before"
  config '.mounts += [{destination: "/home/nonroot", type: "tmpfs", source: "tmpfs", options: ["uid=65532", "mode=0700"]}]'
  says bare run "$ID"
  contains 'owner 65532'
  install -m 600 "$BATS_TEST_TMPDIR/before" config.json
  runs sh -c 'stat -c "etc is %u" /etc; stat -c "home is %u:%g, %a" "$HOME"; echo x >"$HOME/file" && echo written'
  succeeds nonroot run "$ID"
  contains 'etc is 0'
  contains 'home is 65532:65532, 700'
  contains written
}

@test "C10: the home of the passwd entry is a system directory" {
  local place
  for place in / /etc /proc /proc/self /sys /dev /dev/shm /bin /usr /usr/bin /lib /run /tmp /var ../etc relative ''; do
    fresh
    rm -rf "$ROOTFS"
    cp -a "$NONROOT_BATS_KIT" "$ROOTFS"
    printf 'app:x:1000:1000:App:%s:/bin/sh\n' "$place" >>"$ROOTFS/etc/passwd"
    config '.process.user = {uid: 1000, gid: 1000}'
    runs sh -c 'echo "home $HOME"; stat -c "owner %u mode %a" "$HOME"; echo x >"$HOME/file" && echo written; stat -c "%u" / /etc /bin /usr /dev | sort -u'
    succeeds nonroot run "$ID" || explain "with $place"
    contains 'owner 1000 mode 700'
    contains written
    [[ $OUT != *"home $place"$'\n'* && ${OUT##*$'\n'} == 0 ]] || explain "with $place"
  done
}

@test "C10: HOME in the environment decides nothing, and there is one of it" {
  # Who takes it for the place of the home, mounts over what runc refuses and crun does not.
  config '.process.env += ["HOME=/proc", "HOME=/etc"] | .mounts += [{destination: "/proc", type: "tmpfs", source: "tmpfs", options: ["uid=65532", "mode=0700"]}]'
  runs sh -c 'stat -f -c %T /proc; stat -c "owner %u" /proc'
  says bare run "$ID"
  if only crun; then contains $'tmpfs\nowner 65532'; else [[ $STATUS != 0 ]]; fi
  fresh
  config '.process.env += ["HOME=/proc", "HOME=/etc"]'
  runs cat /proc/self/environ
  succeeds nonroot run "$ID"
  [[ $(tr '\0' '\n' <"$BATS_TEST_TMPDIR/out" | grep ^HOME=) == HOME=/home/nonroot ]]
}

@test "C10: nothing is mounted over a directory that is not empty" {
  mkdir -p "$ROOTFS/home/nonroot"
  printf 'kept\n' >"$ROOTFS/home/nonroot/precious"
  runs sh -c 'cat /home/nonroot/precious; echo "home $HOME"; echo x >"$HOME/file" && echo written'
  succeeds nonroot run "$ID"
  contains kept
  contains written
  lacks $'home /home/nonroot\n'
}

@test "C10: nothing is mounted over, above or below a volume" {
  mkdir "$BATS_TEST_TMPDIR/volume"
  printf 'kept\n' >"$BATS_TEST_TMPDIR/volume/precious"
  local place
  for place in /home/nonroot /home /home/nonroot/below; do
    fresh
    config --arg source "$BATS_TEST_TMPDIR/volume" --arg place "$place" \
      '.mounts += [{destination: $place, type: "bind", source: $source, options: ["rbind", "rw"]}]'
    runs sh -c 'cat '"$place"'/precious; echo "home $HOME"; echo x >"$HOME/file" && echo written'
    succeeds nonroot run "$ID" || explain "with $place"
    contains kept
    contains written
    lacks $'home /home/nonroot\n'
    [[ $(ls -A "$BATS_TEST_TMPDIR/volume") == precious ]]
  done
}

@test "a read-only rootfs: where the place exists, and where it does not" {
  config '.root.readonly = true'
  nonroot_shows nonroot
  [[ ! -e $ROOTFS/home/nonroot ]]
  fresh
  mkdir -m 700 "$ROOTFS/home/nonroot"
  config '.root.readonly = true'
  prints_home
  succeeds nonroot run "$ID"
  contains 'owner 65532:65532 mode 700'
  contains written
}

@test "a mount point that the image brings does not lend the home its mode" {
  mkdir -m 755 "$ROOTFS/home/nonroot"
  prints_home
  succeeds nonroot run "$ID"
  contains 'owner 65532:65532 mode 700'
}

@test "C11: in a user namespace the owner is the container's id" {
  mapped
  # By the host's id, there is no container.
  config '.mounts += [{destination: "/home/nonroot", type: "tmpfs", source: "tmpfs", options: ["uid=165532", "mode=0700"]}]'
  prints_home
  says bare run "$ID"
  [[ $STATUS != 0 && $OUT == '' && $ERR == *home/nonroot* ]] || explain 'expected a mount that fails'
  config '.mounts |= map(select(.destination != "/home/nonroot"))'
  rmdir "$ROOTFS/home/nonroot" 2>/dev/null || true
  succeeds nonroot run "$ID"
  contains 'owner 65532:65532 mode 700'
  contains written
  detached nonroot
  status_shows 'uid(165532) and gid(165532) and powerless' "$ID"
}

@test "the home is exec's, too" {
  detached nonroot
  succeeds nonroot exec "$ID" sh -c 'echo "$HOME $USER $LOGNAME"; echo x >"$HOME/file" && echo written'
  contains '/home/nonroot nonroot nonroot'
  contains written
}

# prints_root_home makes the container say where its home is, by the environment and by passwd, and write a file there.
prints_root_home() { runs sh -c 'echo "home $HOME $(grep "^[^:]*:x:$(id -u):" /etc/passwd | cut -d : -f 6)"; echo x >>"$HOME/mine" && wc -l <"$HOME/mine"; '"$1"'grep -c nonroot-home /proc/mounts'; }

# mounted PLACE [OPTION...] binds a directory there, which an identity before has written: $VOLUME.
mounted() {
  local place=$1
  VOLUME=$BATS_TEST_TMPDIR/volume
  mkdir -p "$VOLUME"
  chown -R 65532:65532 "$VOLUME"
  reachable
  shift
  config --arg s "$VOLUME" --arg d "$place" '.mounts += [{destination: $d, type: "bind", source: $s, options: (["bind"] + $ARGS.positional)}]' --args -- "$@"
}

# notes FILTER judges the record's notes of a container that is created.
notes() {
  created nonroot "$ID-noted"
  jq -e ".notes | $1" nonroot-runc.json >/dev/null || explain "expected of the record: $1" "$(jq -c .notes nonroot-runc.json)"
}

@test "a mount below root's home: HOME stays there, and what is written is found again" {
  layered
  local run
  for run in 1 2; do
    fresh
    mounted /root/.cache
    prints_root_home 'echo 1 >>~/.cache/m && wc -l <~/.cache/m; '
    says nonroot run "$ID"
    [[ $OUT == $'home /root /root\n'$run$'\n'$run$'\n0' ]] || explain "expected the home of the $run. run"
  done
  fresh
  mounted /root/.cache
  notes 'any(test("no home of its own: ./root. is kept, as config.json mounts ./root/.cache."))'
}

@test "a read-only mount below root's home can be read, and stays read-only" {
  layered
  mounted /root/.aws ro
  echo secret >"$VOLUME/credentials"
  runs sh -c 'cat ~/.aws/credentials; echo x >~/.aws/credentials || echo closed; echo x >~/file && echo written'
  succeeds nonroot run "$ID"
  contains $'secret\nclosed\nwritten'
  [[ $(<"$VOLUME/credentials") == secret ]]
}

@test "a mount at root's home is the home" {
  layered
  local run
  for run in 1 2; do
    fresh
    mounted /root
    prints_root_home ''
    says nonroot run "$ID"
    [[ $OUT == $'home /root /root\n'$run$'\n0' ]] || explain "expected the volume of the $run. run"
  done
  [[ -e $VOLUME/mine ]]
  # One that the identity can't write is none, which is said.
  chown 0:0 "$VOLUME"
  fresh
  config --arg s "$VOLUME" '.mounts += [{destination: "/root", type: "bind", source: $s, options: ["bind"]}]'
  prints_root_home ''
  cp config.json "$BATS_TEST_TMPDIR/asked.json"
  succeeds nonroot run "$ID"
  contains 'home /home/nonroot /home/nonroot'
  cp "$BATS_TEST_TMPDIR/asked.json" config.json
  notes 'any(test("HOME is not ./root., though config.json mounts ./root.: the identity can.t write there"))'
}

@test "what the image has in root's home is found, a distribution's skeleton is none" {
  mkdir -p "$ROOTFS/root/.ssh" "$ROOTFS/root/.cache"
  touch "$ROOTFS/root/.bashrc" "$ROOTFS/root/.profile"
  chmod 700 "$ROOTFS/root"
  layered
  prints_root_home ''
  says nonroot run "$ID"
  contains 'home /home/nonroot /home/nonroot'
  # What the container has written there itself, by an exec that knows the place, does not move the home at the next start.
  mkdir "$ROOTFS/root/.state"
  fresh
  prints_root_home ''
  says nonroot run "$ID"
  contains 'home /home/nonroot /home/nonroot'
  umount "$ROOTFS"
  mkdir -p "$BATS_TEST_TMPDIR/layers/image/root/.local/bin"
  printf '#!/bin/sh\necho found\n' >"$BATS_TEST_TMPDIR/layers/image/root/.local/bin/tool"
  chmod 755 "$BATS_TEST_TMPDIR/layers/image/root/.local/bin/tool"
  rm -rf "$BATS_TEST_TMPDIR/layers/upper"/*
  overlaid
  fresh
  prints_root_home 'PATH=$PATH:/root/.local/bin tool; '
  says nonroot run "$ID"
  [[ $OUT == $'home /root /root\n1\nfound\n0' ]] || explain 'expected the home of the image'
  fresh
  prints_root_home ''
  notes 'any(test("no home of its own: ./root. is kept, as the image has .\\.local. there"))'
}

@test "where root's home can't be given, HOME moves, and a note says so" {
  mounted /root/.cache
  chmod 700 "$ROOTFS/root"
  prints_root_home ''
  cp config.json "$BATS_TEST_TMPDIR/asked.json"
  says nonroot run "$ID"
  contains 'home /home/nonroot /home/nonroot'
  cp "$BATS_TEST_TMPDIR/asked.json" config.json
  notes 'any(test("HOME is not ./root., though config.json mounts ./root/.cache.: the identity can.t write there"))'
}

@test "HOME, USER and LOGNAME that somebody has set stay, in exec, too" {
  layered
  mounted /data
  config '.process.env |= map(select(startswith("HOME=") | not)) + ["HOME=/data", "USER=alice", "LOGNAME=bob"]'
  runs sh -c 'echo "$HOME $USER $LOGNAME $(id -un)"; touch ~/kept'
  cp config.json "$BATS_TEST_TMPDIR/asked.json"
  succeeds nonroot run "$ID"
  [[ $OUT == '/data alice bob nonroot' && -e $VOLUME/kept ]]
  # By what was rewritten already, too.
  succeeds nonroot run "$ID"
  [[ $OUT == '/data alice bob nonroot' ]]
  cp "$BATS_TEST_TMPDIR/asked.json" config.json
  detached nonroot
  local ask='.args = ["sh", "-c", "echo $HOME $USER $LOGNAME"] | .env = ["PATH=/bin"]'
  process "$ask"' + ["HOME=/data", "USER=alice", "LOGNAME=bob"]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == '/data alice bob' ]]
  process "$ask"' + ["HOME=/tmp/h", "USER=joe"]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == '/tmp/h joe nonroot' ]]
  process "$ask"' + ["HOME=/root", "USER=root", "LOGNAME=root"]'
  succeeds nonroot exec --process "$PROCESS" "$ID"
  [[ $OUT == '/data nonroot nonroot' ]]
}

@test "HOME that the identity can't write moves, with a note, and in exec, too" {
  layered
  mkdir -p "$BATS_TEST_TMPDIR/layers/image/site"
  policy <<<'adapt.applications = false'
  config '.process.env |= map(select(startswith("HOME=") | not)) + ["HOME=/site"]'
  runs sh -c 'echo "$HOME"'
  cp config.json "$BATS_TEST_TMPDIR/asked.json"
  succeeds nonroot run "$ID"
  [[ $OUT == /home/nonroot ]]
  cp "$BATS_TEST_TMPDIR/asked.json" config.json
  notes 'any(test("HOME is not ./site., though it was asked for"))'
  succeeds nonroot start "$ID-noted"
  # The engine hands on what the image says.
  process '.args = ["sh", "-c", "echo $HOME"] | .env = ["PATH=/bin", "HOME=/site"]'
  succeeds nonroot exec --process "$PROCESS" "$ID-noted"
  [[ $OUT == /home/nonroot ]]
}

@test "a volume where the home would be is the home, also of who asks to be who he is" {
  local run
  for run in 1 2; do
    fresh
    mounted /home/nonroot
    ((run == 1)) || config '.process.user = {uid: 65532, gid: 65532}'
    prints_root_home ''
    says nonroot run "$ID"
    [[ $OUT == $'home /home/nonroot /home/nonroot\n'$run$'\n0' ]] || explain "expected the volume as the home, in run $run"
  done
}

@test "C10: where passwd has root's home, a system's directory or a link to one, does not become the home" {
  local place
  for place in / /etc /usr/lib /proc /dev /tmp/../etc /home/link; do
    fresh
    rm -rf "$ROOTFS"
    cp -a "$NONROOT_BATS_KIT" "$ROOTFS"
    chmod 777 "$ROOTFS/etc"
    ln -s /etc "$ROOTFS/home/link"
    sed -i "s,^root:.*,root:x:0:0:root:$place:/bin/sh," "$ROOTFS/etc/passwd"
    mounted "$place/below"
    runs sh -c 'echo "home $HOME"; echo x >"$HOME/file" && echo written; stat -c "%u" / /etc /bin /usr /dev | sort -u'
    says nonroot run "$ID"
    [[ $STATUS != 0 || $OUT == $'home /home/nonroot\nwritten\n0' ]] || explain "with $place"
  done
}
