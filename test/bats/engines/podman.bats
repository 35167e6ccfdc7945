#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Podman, rootful and rootless, registered by a drop-in of its configuration. Each test shows first what the same call gives
# with the bare runtime.

load engines

setup_file() {
  # Podman's defaults want systemd's cgroups and journal, which not every machine has.
  mkdir -p /etc/containers/containers.conf.d
  cat >/etc/containers/containers.conf <<'TOML'
[engine]
cgroup_manager = "cgroupfs"
events_logger = "file"
TOML
  cat >/etc/containers/containers.conf.d/nonroot.conf <<TOML
[engine]
runtime = "nonroot"
[engine.runtimes]
nonroot = ["$NONROOT"]
TOML
  printf 'someone:x:5001:5001::/home/someone:/bin/bash\n' >>/etc/passwd
  printf 'someone:x:5001:\n' >>/etc/group
  printf 'someone:300000:65536\ncontainers:500000:1000000\n' | tee /etc/subuid >/etc/subgid
  install -d -o 5001 -g 5001 -m 700 /home/someone /run/user/5001
  import podman
  import rootless
}

setup() { no_policy; }
teardown() {
  await podman pod rm --all --force --time 0
  no_podman_containers
  no_podman_containers rootless
}

import() { image | "$1" import - bb >/dev/null; }

# someone runs a command as an ordinary user; rootless is his Podman.
someone() {
  (
    cd /home/someone || exit
    exec setpriv --reuid 5001 --regid 5001 --clear-groups env HOME=/home/someone XDG_RUNTIME_DIR=/run/user/5001 USER=someone TMPDIR=/tmp "$@"
  )
}
rootless() { someone podman "$@"; }

bare() { podman --runtime runc run --rm "$@"; }
nonroot() { podman run --rm "$@"; }

@test "podman run: root under the bare runtime, nobody's root here" {
  shows root bare bb probe
  shows nonroot nonroot bb probe
  shows root bare --privileged=false --security-opt seccomp=unconfined bb probe
  shows nonroot nonroot --security-opt seccomp=unconfined bb probe
}

@test "a name and a home of its own, on Podman's own passwd, too" {
  succeeds nonroot bb sh -c 'id -un; echo x >"$HOME/x" && stat -c "%a %u" "$HOME"'
  [[ $OUT == $'nonroot\n700 65532' ]] || explain 'expected a name and a home'
  # Podman mounts a passwd of its own for a user that the image does not know.
  succeeds nonroot --user 12345 bb sh -c 'id -u; id -un; echo "$HOME"'
  [[ $OUT == 12345$'\n'*$'\n'* ]] || explain 'expected the user that was asked for'
}

@test "whatever is asked for: --user 0, --cap-add, --group-add, --privileged" {
  shows nonroot nonroot --user 0 bb probe
  shows nonroot nonroot --user 0:0 --cap-add ALL bb probe
  shows 'uid(65532) and powerless and .Groups == [2000]' nonroot --group-add 6 --group-add 2000 bb probe
  shows nonroot nonroot --privileged bb probe
}

@test "F5: --group-add keep-groups keeps none" {
  shows nonroot nonroot --group-add keep-groups bb probe
}

@test "D1: exec, also as root and privileged" {
  podman run -d --runtime runc --name bare bb probe pause >/dev/null
  shows root podman exec bare probe
  podman run -d --name box bb probe pause >/dev/null
  shows nonroot podman exec box probe
  shows nonroot podman exec -u 0 box probe
  shows nonroot podman exec --privileged -u 0:0 box probe
  shows 'nonroot(1000; 65532)' podman exec -u 1000 box probe
  succeeds podman exec box sh -c 'id -un; echo "$HOME"; exit 0'
  [[ $OUT == $'nonroot\n'* ]] || explain 'expected the same name'
  fails_with 3 podman exec box sh -c 'exit 3'
}

@test "terminals" {
  says on_tty podman run --rm -it bb sh -c 'tty; id -u'
  [[ $OUT == *$'/dev/pts/0\r\n65532'* ]] || explain 'expected a terminal'
  podman run -d --name box bb probe pause >/dev/null
  says on_tty podman exec -it box sh -c 'tty; id -u'
  [[ $OUT == *$'/dev/pts/'[01]$'\r\n65532'* ]] || explain 'expected a terminal of exec'
}

@test "restart, stop, start, pause, logs: the identity stays" {
  podman run -d --name box bb sh -c 'id -u; exec probe pause' >/dev/null
  podman restart --time 0 box >/dev/null
  podman stop --time 0 box >/dev/null
  podman start box >/dev/null
  shows nonroot podman exec box probe
  podman pause box >/dev/null
  podman unpause box >/dev/null
  shows nonroot podman exec -u 0 box probe
  succeeds podman logs box
  [[ $OUT == $'65532\n65532\n65532' ]] || explain 'expected one line for each start'
}

@test "volumes, read-only, tmpfs, the working directory" {
  install -d -o 65532 "$BATS_TEST_TMPDIR/data"
  succeeds nonroot -v "$BATS_TEST_TMPDIR/data:/data" bb sh -c 'echo x >/data/x'
  [[ $(stat -c %u:%g "$BATS_TEST_TMPDIR/data/x") == 65532:65532 ]] || explain 'expected a file of its own'
  succeeds nonroot -v named:/data bb ls -a /data
  podman volume rm named >/dev/null
  image_with_log | podman import - bb-log >/dev/null 2>&1
  succeeds nonroot -v log:/var/log/app bb-log sh -c 'stat -c %u:%g /var/log/app /var/log/app/a.log && echo line >>/var/log/app/a.log'
  [[ $OUT == $'65532:4\n65532:4' ]] || explain 'expected the copied files to be given'
  chown -R 88:4 "$(podman volume inspect -f '{{.Mountpoint}}' log)"
  succeeds nonroot -v log:/var/log/app bb-log stat -c %u:%g /var/log/app /var/log/app/a.log
  [[ $OUT == $'88:4\n88:4' ]] || explain 'expected a written volume to stay'
  podman volume rm log >/dev/null
  succeeds nonroot --read-only bb id -u
  # Podman has a tmpfs on /run then, with what the image has there.
  mkdir -p "$BATS_TEST_TMPDIR/with-run/run/service"
  cp -a "$NONROOT_BATS_KIT/." "$BATS_TEST_TMPDIR/with-run"
  tar -C "$BATS_TEST_TMPDIR/with-run" -c . | podman import - bb-run >/dev/null 2>&1
  succeeds bare --read-only bb-run touch /run/x /run/service/x
  succeeds nonroot --read-only bb-run touch /run/x /run/service/x
  # A directory of the host's stays as it is, with a layer of the container's over it or without.
  succeeds bare --rootfs "$BATS_TEST_TMPDIR/with-run:O" touch /run/service/x
  fails_with 1 nonroot --rootfs "$BATS_TEST_TMPDIR/with-run" touch /run/service/x
  succeeds nonroot --rootfs "$BATS_TEST_TMPDIR/with-run:O" touch /run/service/x
  [[ $(stat -c %u "$BATS_TEST_TMPDIR/with-run/run/service") == 0 && ! -e $BATS_TEST_TMPDIR/with-run/run/service/x ]] || explain "expected the host's directory as it was"
  succeeds nonroot --mount type=tmpfs,dst=/scratch,chown=true bb stat -c %u:%g /scratch
  [[ $OUT == 65532:65532 ]] || explain 'expected it to be given'
  succeeds nonroot --tmpfs /scratch:mode=1777 -w /scratch bb sh -c 'echo x >x && pwd'
  [[ $OUT == /scratch ]] || explain 'expected the working directory'
}

@test "podman build: what is given to nobody stays out of the image" {
  mkdir -p "$BATS_TEST_TMPDIR/build"
  printf 'FROM bb\nRUN id -u >/tmp/id\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
  podman build -q -t built "$BATS_TEST_TMPDIR/build" >/dev/null
  succeeds bare built sh -c 'cat /tmp/id; stat -c %u /run /root'
  [[ $OUT == $'65532\n0\n0' ]] || explain "expected the image's own owners"
}

@test "exit codes are the bare runtime's" {
  same_exit_codes bb
  fails_with 127 bare bb /no/such/program
  fails_with 127 nonroot bb /no/such/program
}

@test "a health check runs as the container does" {
  podman run -d --name box --health-cmd 'id -u >/tmp/health' --health-interval 0 bb probe pause >/dev/null
  podman healthcheck run box
  succeeds podman exec box cat /tmp/health
  [[ $OUT == 65532 ]]
}

@test "a pod: its infra container and a shared process namespace" {
  podman pod create --name web --share net,ipc,uts,pid --infra-command '/bin/probe pause' --infra-image localhost/bb >/dev/null
  podman run -d --pod web --name one bb probe pause >/dev/null
  podman run -d --pod web --name two bb probe pause >/dev/null
  shows nonroot podman exec one probe
  shows nonroot podman exec -u 0 two probe
  shows nonroot status_of "$(podman inspect -f '{{.State.Pid}}' "$(podman pod inspect -f '{{.InfraContainerID}}' web)")"
}

@test "H11: --pid=container: is who the other one is; containers that share a pod's processes stay who they are" {
  podman run -d --name service --user 1700:1701 bb probe pause >/dev/null
  succeeds bare --pid container:service bb kill -0 1
  succeeds nonroot --pid container:service bb sh -c 'kill -0 1 && id -u && id -g'
  [[ $OUT == $'1700\n1701' ]] || explain 'expected the user of the service'
  podman pod create --name web --share net,ipc,uts,pid --infra-command '/bin/probe pause' --infra-image localhost/bb >/dev/null
  printf 'identity.uid = 70000\n' | policy
  podman pod start web >/dev/null
  no_policy
  succeeds nonroot --pod web bb id -u
  [[ $OUT == 65532 ]] || explain 'expected the fixed identity, and not that of the infra container'
}

@test "generate kube, play kube" {
  podman run -d --name box bb /bin/probe pause >/dev/null
  podman generate kube box >"$BATS_TEST_TMPDIR/pod.yaml"
  podman rm --force --time 0 box >/dev/null
  podman play kube "$BATS_TEST_TMPDIR/pod.yaml" >/dev/null
  shows nonroot podman exec box-pod-box /bin/probe
  shows nonroot podman exec -u 0 box-pod-box /bin/probe
}

@test "B7 E8: --uidmap and --userns=auto, for which Podman gives the bundle away" {
  succeeds nonroot --uidmap 0:100000:65536 --gidmap 0:100000:65536 bb sh -c 'id -u; cat /proc/self/uid_map'
  [[ $OUT == 65532$'\n'*' 100000 '* ]] || explain 'expected a user namespace'
  shows nonroot nonroot --userns=auto:size=65536 bb probe
  # A new volume, which Podman gives away, too.
  succeeds nonroot --uidmap 0:100000:65536 --gidmap 0:100000:65536 -v mapped:/data bb sh -c 'echo x >/data/x && stat -c %u:%g /data'
  [[ $OUT == 65532:65532 ]] || explain 'expected the volume to be given'
  podman volume rm mapped >/dev/null
  # A map that the fixed identity is not in.
  says nonroot --userns=auto:size=1024 bb probe
  [[ $STATUS != 0 && $ERR == *'uid 65532 is not mapped'* ]] || explain 'expected the reason'
  # And one that sends a user of the container to the host's root.
  says nonroot --uidmap 0:100000:1000 --uidmap 1000:0:1 --gidmap 0:100000:65536 --user 1000 bb probe
  [[ $STATUS != 0 && -z $OUT ]] || explain 'expected a refusal'
}

@test "a refusal is read where podman runs, and a broken policy stops no kill" {
  podman run -d --name box bb probe pause >/dev/null
  policy <<<'no_such_key = 1'
  says nonroot bb probe
  [[ $STATUS != 0 && $ERR == *'unknown key "no_such_key"'* ]] || explain 'expected the reason'
  podman kill box >/dev/null
  podman rm --force --time 0 box >/dev/null
  policy <<<'mode = "refuse"'
  says nonroot bb probe
  [[ $STATUS != 0 && $ERR == *'asks for root'*'set USER in its image'* ]] || explain 'expected advice'
}

@test "B8 F10 rootless: the container's root is the user; here it is nobody" {
  shows root rootless --runtime crun run --rm bb probe
  shows nonroot rootless run --rm bb probe
  shows nonroot rootless run --rm --user 0 --cap-add ALL bb probe
  succeeds rootless run --rm bb sh -c 'id -un; echo x >"$HOME/x" && stat -c "%a %u" "$HOME"'
  [[ $OUT == $'nonroot\n700 65532' ]] || explain 'expected a name and a home'
}

@test "B8 rootless: --userns=keep-id keeps the user" {
  shows 'uid(5001)' rootless --runtime crun run --rm --userns=keep-id bb probe
  shows 'nonroot(5001; 5001)' rootless run --rm --userns=keep-id bb probe
  succeeds rootless run --rm --userns=keep-id -v /home/someone:/mine bb sh -c 'echo x >/mine/file && stat -c %u /mine/file'
  [[ $OUT == 5001 && $(stat -c %u /home/someone/file) == 5001 ]] || explain 'expected the own file'
}

@test "rootless exec, also as root" {
  rootless run -d --name box bb probe pause >/dev/null
  shows nonroot rootless exec box probe
  shows nonroot rootless exec -u 0 box probe
}

@test "nonroot-ctl learn: what a container is denied from its start on" {
  local learned=$BATS_TEST_TMPDIR/learned
  succeeds nonroot-ctl learn --json --output "$learned" -- podman run --rm bb sh -c 'echo x >/home/x; echo ran'
  contains ran
  jq -e '(.late | not) and .ended and any(.findings[]; .kind == "directory" and .what == "/home")' "$learned" || explain "$(<"$learned")"
}

@test "rootless: what a person binds is named with --userns=keep-id, which lets it be used, and learn advises no chown" {
  local learned=/home/someone/learned
  install -d -m 755 -o someone /home/someone/src
  succeeds rootless run --rm --userns=keep-id -v /home/someone/src:/src bb sh -c 'echo x >/src/kept'
  says rootless run --name denied -v /home/someone/src:/src bb sh -c 'echo x >/src/file'
  [[ $STATUS != 0 && $ERR == *'ermission denied'* ]] || explain 'expected that it fails'
  succeeds someone nonroot-ctl explain --podman denied
  contains 'what is mounted at "/src" can'"'"'t be written'
  contains 'hint: --userns=keep-id'
  says someone nonroot-ctl learn --json --output "$learned" -- podman run --rm -v /home/someone/src:/src bb sh -c 'echo x >/src/file'
  jq -e 'any(.findings[]; .what == "/src" and (.why | test("What helps: --userns=keep-id") and (test("chown 3[0-9]*") | not)))' "$learned" || explain "$(<"$learned")"
}

@test "H10: a secret of mode 0400 can be read by the identity" {
  printf hidden | podman secret create s1 - >/dev/null
  succeeds bare --secret s1,mode=0400 bb cat /run/secrets/s1
  succeeds nonroot --secret s1,mode=0400 bb sh -c 'id -u; cat /run/secrets/s1; echo x 2>/dev/null >/run/secrets/s1; cat /run/secrets/s1'
  [[ $OUT == $'65532\nhiddenhidden' ]] || explain 'expected it to be read, and not written'
  says nonroot --secret s1,mode=0400,uid=1500 bb cat /run/secrets/s1
  lacks hidden
  podman secret rm s1 >/dev/null
}

@test "doctor --engine podman: the bare runtime fails the self-test, nonroot-runc passes it, and nothing is left" {
  local before
  before=$(podman ps -aq && podman images -aq | sort)
  says nonroot-ctl doctor --engine podman --runtime-name runc
  [[ $STATUS == 1 ]] || explain 'expected a failure'
  contains 'FAIL self-test via podman: podman exec --user 0: it has uid [0 0 0 0]'
  contains 'FAIL self-test via podman: podman run: uid: [0 0 0 0]'
  says nonroot-ctl doctor --engine podman
  [[ $OUT != *'FAIL self-test via podman'* ]] || explain 'it fails'
  contains 'ok   self-test via podman: podman run: uid: [65532 65532 65532 65532]'
  contains 'ok   self-test via podman: podman exec --user 0: runs as 1000:1000 without capabilities'
  [[ $(podman ps -aq && podman images -aq | sort) == "$before" ]] || explain 'the self-test left something'
}

@test "explain --podman of a container that was refused has the refusal, and not that its rootfs is gone" {
  local log=$BATS_TEST_TMPDIR/decisions.log
  policy <<TOML
mode = "refuse"
log.file = "$log"
TOML
  says podman run --name refused bb true
  [[ $STATUS != 0 && $ERR == *'asks for root'* ]] || explain 'expected a refusal'
  succeeds nonroot-ctl explain --podman refused
  [[ $OUT == 'it was refused at '*'asks for root'* && $OUT != *'open the rootfs'* ]] || explain 'expected the refusal'
  # Without a log, nothing has the reason any more, which is said.
  podman rm -f refused >/dev/null
  policy <<<'mode = "refuse"'
  says podman run --name refused bb true
  [[ $STATUS != 0 ]] || explain 'expected a refusal'
  succeeds nonroot-ctl explain --podman refused
  contains 'nothing is logged, so nothing tells why a container ended or was refused'
  contains 'hint: set log.file = "/var/log/nonroot-runc.log" in the policy'
}
