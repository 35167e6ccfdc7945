#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Promise: a home of its own (SECURITY.md C10, C11).

load helpers

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
