#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Taking nonroot-runc out again loses no container: the runtime's name stays as long as an engine needs it to stop and remove one.

load engines

setup_file() {
  # Another file of tests may have registered it.
  rm -rf /etc/containers/containers.conf.d
  # Podman's defaults want systemd's cgroups and journal, which not every machine has.
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >/etc/containers/containers.conf
  printf 'someone:x:5001:5001::/home/someone:/bin/bash\n' >>/etc/passwd
  printf 'someone:x:5001:\n' >>/etc/group
  printf 'someone:300000:65536\n' | tee /etc/subuid >/etc/subgid
  install -d -o 5001 -g 5001 -m 700 /home/someone /run/user/5001
  image | podman import - bb >/dev/null
  image | rootless podman import - bb >/dev/null
}

setup() { no_policy; }
teardown() {
  nonroot-ctl configure podman >/dev/null
  no_podman_containers
  no_podman_containers rootless podman
  nonroot-ctl configure podman --uninstall >/dev/null
  [[ ! -e $BATS_FILE_TMPDIR/dockerd.pid ]] || {
    no_containers
    ended dockerd
    rm -f "$BATS_FILE_TMPDIR/dockerd.pid"
  }
  rm -rf /etc/docker /home/someone/.config
}

ctl() { nonroot-ctl configure "$@"; }

# rootless calls a command as an ordinary user.
rootless() {
  (
    cd /home/someone || exit
    exec setpriv --reuid 5001 --regid 5001 --clear-groups env HOME=/home/someone XDG_RUNTIME_DIR=/run/user/5001 USER=someone TMPDIR=/tmp "$@"
  )
}

files() { find /etc/docker /etc/containers -type f -exec sha256sum {} + 2>/dev/null || true; }

# needed ENGINE [LINE...] : uninstalling is refused, and these containers are listed, no others. Nothing has changed.
needed() {
  local engine=$1 before lines
  shift
  before=$(files)
  fails_with 1 ctl "$engine" --uninstall
  lines=$(grep '^nonroot-ctl:   ' <<<"$ERR" | sed 's/^nonroot-ctl:   //')
  [[ $lines == "$(printf '%s\n' "$@")" && $ERR == *'remove them first'*--keep-name* ]] || explain "expected: $*"
  [[ $(files) == "$before" ]] || explain 'something has changed'
}

@test "podman: without the name, rm --force forgets a container that runs" {
  local pid
  succeeds ctl podman --set-default
  podman run -d --name web bb probe pause >/dev/null
  pid=$(podman inspect -f '{{.State.Pid}}' web)
  rm /etc/containers/containers.conf.d/zz-nonroot.conf
  fails_with 125 podman stop --time 0 web
  succeeds podman rm --force --time 0 web
  fails_with 1 podman container exists web
  kill -0 "$pid" || explain 'expected the fault that uninstalling must not lead to'
  kill -KILL "$pid"
}

@test "podman: uninstalling is refused while containers need the name, created ones and stopped ones, too" {
  succeeds ctl podman --set-default
  podman run -d --name web bb probe pause >/dev/null
  podman create --name made bb probe pause >/dev/null
  podman run --name ended bb true
  podman --runtime runc run -d --name other bb probe pause >/dev/null
  needed podman '"ended" (exited)' '"made" (created)' '"web" (running)'
  fails_with 1 ctl podman --uninstall --dry-run
  # The default goes; what was made with the name is still the engine's.
  succeeds ctl podman --uninstall --keep-name
  shows root podman run --rm bb probe
  succeeds podman stop --time 0 web
  succeeds podman start web made
  needed podman '"ended" (exited)' '"made" (running)' '"web" (running)'
  podman rm --force --time 0 web made ended >/dev/null
  succeeds ctl podman --uninstall
  [[ -z $(find /etc/containers -path '*containers.conf.d*') ]] || explain 'expected nothing to be left'
  [[ $(podman inspect -f '{{.State.Status}}' other) == running ]]
}

@test "podman: containers of other users that run count, unless they have a registration of their own" {
  local pid
  succeeds ctl podman --set-default
  rootless podman run -d --name hers bb probe pause >/dev/null
  needed podman '"hers" (running, of user someone)'
  rootless nonroot-ctl configure podman
  succeeds ctl podman --uninstall
  pid=$(rootless podman inspect -f '{{.State.Pid}}' hers)
  fails_with 1 rootless nonroot-ctl configure podman --uninstall
  [[ $ERR == *'"hers" (running)'* ]] || explain 'expected the container'
  rootless podman rm --force --time 0 hers >/dev/null
  await gone "$pid"
  succeeds rootless nonroot-ctl configure podman --uninstall
}

@test "podman: a container in another storage, which Podman has to be told of, counts while it runs" {
  local elsewhere=(podman --root /var/lib/containers/elsewhere --runroot /run/elsewhere)
  succeeds ctl podman --set-default
  image | "${elsewhere[@]}" import - bb >/dev/null
  "${elsewhere[@]}" run -d --name far bb probe pause >/dev/null
  needed podman '"far" (running)'
  local monitor
  monitor=$("${elsewhere[@]}" inspect -f '{{.State.ConmonPid}}' far)
  "${elsewhere[@]}" rm --force --time 0 far >/dev/null
  await gone "$monitor"
  succeeds ctl podman --uninstall
}

@test "docker: uninstalling is refused while containers need the name, whether dockerd runs or not" {
  succeeds ctl docker --set-default
  start_dockerd
  docker_image bb
  docker run -d --name web bb probe pause >/dev/null
  docker create --name made bb probe pause >/dev/null
  docker run --name ended bb true
  docker run -d --name other --runtime runc bb probe pause >/dev/null
  needed docker '"ended" (exited)' '"made" (created)' '"web" (running)'
  ended dockerd
  needed docker '"ended" (exited)' '"made" (created)' '"web" (exited)'
  rm "$BATS_FILE_TMPDIR/dockerd.pid"

  succeeds ctl docker --uninstall --keep-name
  jq -e 'has("default-runtime") | not' /etc/docker/daemon.json
  start_dockerd
  shows root docker run --rm bb probe
  succeeds docker start web
  shows nonroot docker exec web probe
  docker rm --force web made ended >/dev/null
  succeeds ctl docker --uninstall
  contains 'when it is restarted: systemctl restart docker'
  [[ ! -e /etc/docker/daemon.json ]] || explain 'expected no file, as before'
}

@test "docker: the data-root of the flag, of the file, and of a user namespace" {
  local flags
  mkdir -p /etc/docker
  for flags in "--data-root=$BATS_TEST_TMPDIR/flag" '' '--userns-remap=someone'; do
    printf '{"data-root": "%s"}\n' "$BATS_TEST_TMPDIR/file" >/etc/docker/daemon.json
    [[ -z $flags ]] || printf '{}\n' >/etc/docker/daemon.json
    succeeds ctl docker
    # shellcheck disable=SC2086 # one flag or none
    start_dockerd $flags
    docker_image bb
    docker create --name made --runtime nonroot bb true >/dev/null
    needed docker '"made" (created)'
    docker rm made >/dev/null
    succeeds ctl docker --uninstall
    ended dockerd
    rm "$BATS_FILE_TMPDIR/dockerd.pid"
  done
}
