#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What a new user does, from an empty configuration: register with one command, see that it works, look at a container,
# and take it out again. The daemons read what nonroot-ctl has written.

load engines

setup() {
  no_policy
  rm -rf /etc/docker /etc/containerd /etc/containers/containers.conf.d
}
teardown() {
  local daemon
  for daemon in dockerd containerd; do
    [[ ! -e $BATS_FILE_TMPDIR/$daemon.pid ]] || ended "$daemon"
    rm -f "$BATS_FILE_TMPDIR/$daemon.pid"
  done
}

ctl() { nonroot-ctl "$@"; }

# files lists a directory with all that is in it, for what has to come back byte for byte.
files() { find "$@" -printf '%p %m %u %l\n' -type f -exec sha256sum {} + 2>/dev/null | sort; }

@test "docker: registered, the default, doctor, explain, uninstalled" {
  succeeds ctl configure docker --set-default
  contains '+'
  succeeds ctl configure docker --set-default
  contains 'nothing to change'
  start_dockerd
  docker_image bb
  shows nonroot docker run --rm bb probe
  shows nonroot docker run --rm --runtime nonroot bb probe

  local before
  before=$(docker ps -aq && docker images -aq | sort)
  says ctl doctor --engine docker
  [[ $STATUS == 0 ]] || explain 'expected that nothing fails'
  contains 'self-test via docker: docker exec --user 0 --privileged: runs as 1000:1000 without capabilities'
  # It says loudly which ways around are left.
  contains OPEN
  [[ $(docker ps -aq && docker images -aq | sort) == "$before" ]] || explain 'the self-test left something'

  docker run -d --name box -e A=b -w /srv bb probe pause >/dev/null
  succeeds ctl explain --docker box
  contains '65532'
  succeeds ctl explain --json --docker box
  jq -e '.when == "after" and .asked.uid == 0 and .decided.identity.uid == 65532 and .decided.source == "fixed"
    and any(.notes[]; contains("of the image now belong to the identity") and contains("/srv"))
    and all(.trips[]; .kind != "workdir")' <<<"$OUT"
  docker rm --force box >/dev/null

  succeeds ctl configure docker --uninstall
  ended dockerd
  [[ ! -e /etc/docker/daemon.json ]] || explain 'expected no file, as before'
  start_dockerd
  shows root docker run --rm bb probe
  says ctl doctor
  [[ $STATUS == 1 ]] || explain 'expected that nothing is governed'
}

@test "docker: a daemon that runs reads it when it is reloaded" {
  mkdir -p /etc/docker
  printf '{\n    "debug": false,\n    "labels": ["a=b"]\n}\n' >/etc/docker/daemon.json
  local before
  before=$(files /etc/docker/daemon.json)
  start_dockerd
  docker_image bb
  succeeds ctl configure docker --set-default --reload
  await eval '[[ $(docker info -f "{{.DefaultRuntime}}") == nonroot ]]'
  shows nonroot docker run --rm bb probe
  jq -e '.labels == ["a=b"]' /etc/docker/daemon.json
  succeeds ctl configure docker --uninstall
  [[ $(files /etc/docker/daemon.json) == "$before" ]] || explain "before: $before" "after: $(files /etc/docker)"
}

@test "docker: a second runtime with a policy of its own" {
  fails_with 1 ctl configure docker --runtime-name rootful --profile rootful
  [[ $ERR == *'rootful.toml'* ]] || explain 'expected what is missing'
  mkdir -p /etc/nonroot-runc
  printf 'mode = "off"\nreason = "backup agent, needs root"\n' >/etc/nonroot-runc/rootful.toml
  succeeds ctl configure docker --set-default
  start_dockerd
  docker_image bb
  succeeds ctl configure docker --runtime-name rootful --profile rootful --reload
  await docker run --rm --runtime rootful bb true
  shows root docker run --rm --runtime rootful bb probe
  shows nonroot docker run --rm bb probe
  says ctl doctor
  [[ $STATUS == 0 && $OUT == *'note docker: policy of "rootful": OPEN'*'backup agent'* ]] || explain 'expected to hear of it'
  # As the default it leaves nobody governed.
  succeeds ctl configure docker --runtime-name rootful --profile rootful --set-default --reload
  contains 'enforces nothing'
  await eval '[[ $(docker info -f "{{.DefaultRuntime}}") == rootful ]]'
  says ctl doctor
  [[ $STATUS == 1 && $OUT == *'FAIL docker: policy of "rootful"'* ]] || explain 'expected a failure'
  # Both are taken out, each by its name.
  succeeds ctl configure docker --runtime-name rootful --uninstall
  jq -e '.runtimes | keys == ["nonroot"]' /etc/docker/daemon.json
  succeeds ctl configure docker --uninstall
  [[ ! -e /etc/docker/daemon.json ]] || explain 'expected no file, as before'
}

@test "F9: docker: a container from before the guard runs on as root, and is named" {
  start_dockerd
  docker_image bb
  docker run -d --name old bb probe pause >/dev/null
  succeeds ctl configure docker --guard --builds rewrite --set-default --reload
  await eval '[[ $(docker info -f "{{.DefaultRuntime}}") == nonroot ]]'
  says ctl doctor
  [[ $OUT == *'warn docker: containers: OPEN: 1 of 1 container runs as root'*'"old"'* ]] || explain 'expected its name'
  docker rm --force old >/dev/null
  # Taking out another name leaves the guard.
  succeeds ctl configure docker --runtime-name other --reload
  succeeds ctl configure docker --runtime-name other --uninstall
  [[ $(readlink -f "$(command -v runc)") == "$NONROOT" ]] || explain 'expected the guard to stay'
  succeeds ctl configure docker --runtime-name nosuch --uninstall
  [[ $(readlink -f "$(command -v runc)") == "$NONROOT" ]] || explain 'expected the guard to stay'
  succeeds ctl configure docker --uninstall
  [[ $(readlink -f "$(command -v runc)") != "$NONROOT" ]] || explain 'expected runc'
}

@test "docker: --guard: builds are known where dockerd really keeps them" {
  mkdir -p /etc/docker "$BATS_FILE_TMPDIR/elsewhere"
  ln -sfn "$BATS_FILE_TMPDIR/elsewhere" "$BATS_FILE_TMPDIR/link"
  printf '{"data-root": "%s"}\n' "$BATS_FILE_TMPDIR/link" >/etc/docker/daemon.json
  succeeds ctl configure docker --guard --builds off --set-default
  grep -q "$(readlink -f "$BATS_FILE_TMPDIR/elsewhere")/buildkit/executor" /etc/nonroot-runc/config.toml || explain 'expected the real directory'
  start_dockerd
  docker_image bb
  mkdir "$BATS_TEST_TMPDIR/build"
  printf 'FROM bb\nRUN id -u >/tmp/id\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
  DOCKER_BUILDKIT=1 docker build -q -t kit "$BATS_TEST_TMPDIR/build" >/dev/null
  succeeds docker run --rm kit cat /tmp/id
  [[ $OUT == 0 ]] || explain 'expected a build as root'
  ended dockerd
  rm -f "$BATS_FILE_TMPDIR/dockerd.pid" "$BATS_FILE_TMPDIR/link"
  succeeds ctl configure docker --uninstall
}

@test "F7 F8: docker: --guard: --runtime runc is governed, builds have their rule" {
  local real
  real=$(sha256sum <"$(command -v runc)")
  succeeds ctl configure docker --guard --builds off --set-default
  [[ $(readlink -f "$(command -v runc)") == "$NONROOT" ]] || explain 'expected the wrapper in the place of runc'
  start_dockerd
  docker_image bb
  shows nonroot docker run --rm --runtime runc bb probe
  shows nonroot docker run --rm --runtime nonroot bb probe
  says ctl doctor
  [[ $OUT == *'ok   docker: --runtime runc'* ]] || explain 'expected the door to be shut'
  [[ $OUT == *'note docker: builds: OPEN: builds run as root'* ]] || explain 'expected to hear of builds'

  mkdir "$BATS_TEST_TMPDIR/build"
  printf 'FROM bb\nRUN id -u >/tmp/id\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
  DOCKER_BUILDKIT=1 docker build -q -t kit "$BATS_TEST_TMPDIR/build" >/dev/null
  succeeds docker run --rm kit cat /tmp/id
  [[ $OUT == 0 ]] || explain 'expected a build as root'

  succeeds ctl configure docker --guard --builds rewrite
  printf 'FROM bb\nRUN id -u >/tmp/id2\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
  DOCKER_BUILDKIT=1 docker build -q -t kit "$BATS_TEST_TMPDIR/build" >/dev/null
  succeeds docker run --rm kit cat /tmp/id2
  [[ $OUT == 65532 ]] || explain 'expected a build as nobody'
  # What the runtime makes as mount points would be in the image.
  docker create --name kit kit true >/dev/null
  docker export kit | tar -t >"$BATS_TEST_TMPDIR/names"
  docker rm kit >/dev/null
  grep -q '^tmp/id2$' "$BATS_TEST_TMPDIR/names" || explain 'expected the build'\''s files'
  ! grep -q '^home/nonroot' "$BATS_TEST_TMPDIR/names" || explain 'a mount point stayed in the image'

  succeeds ctl configure docker --uninstall
  [[ $(sha256sum <"$(command -v runc)") == "$real" && ! -e /etc/nonroot-runc/config.toml ]] || explain 'expected what was there before'
  ended dockerd
  start_dockerd
  shows root docker run --rm bb probe
}

@test "containerd: a runtime handler, from an empty configuration" {
  mkdir -p /etc/containerd
  succeeds ctl configure containerd
  start_containerd
  containerd config dump | grep -q "BinaryName = .$NONROOT.$" || explain 'expected the handler'
  import_containerd bb
  shows nonroot ctr run --rm --runc-binary "$NONROOT" docker.io/library/bb:latest box probe
  ctr run -d --runc-binary "$NONROOT" docker.io/library/bb:latest box probe pause
  succeeds ctl explain --json --containerd default/box
  jq -e '.when == "after" and .decided.identity.uid == 65532' <<<"$OUT"
  ctr tasks kill --signal KILL box
  await ctr containers rm box
  succeeds ctl configure containerd --uninstall
  [[ -z $(find /etc/containerd -type f -name '*.toml') ]] || explain "left: $(find /etc/containerd)"
}

@test "containerd: what is written beside it stays" {
  mkdir -p /etc/containerd
  containerd config default >/etc/containerd/config.toml
  sed -i '1i # a comment of the administrator' /etc/containerd/config.toml
  local before
  before=$(files /etc/containerd)
  succeeds ctl configure containerd --set-default
  succeeds ctl configure containerd --set-default
  contains 'nothing to change'
  grep -q '^# a comment of the administrator$' /etc/containerd/config.toml
  containerd config dump | grep -q 'default_runtime_name = .nonroot.' || explain 'expected the default'
  succeeds ctl configure containerd --uninstall
  [[ $(files /etc/containerd) == "$before" ]] || explain "before: $before" "after: $(files /etc/containerd)"
}

# takes_over: whatever /etc/containerd has, it's registered so that containerd sees it and the runtimes that it saw before,
# once, and is put back.
takes_over() {
  local before dump
  before=$(files /etc/containerd)
  succeeds ctl configure containerd --set-default
  dump=$(containerd config dump 2>/dev/null)
  [[ $dump =~ default_runtime_name\ =\ .nonroot. && $dump =~ runtimes\.nonroot\] && $dump =~ runtimes\.runc\] ]] || explain "$dump"
  grep -q "BinaryName = .$NONROOT.$" <<<"$dump" || explain "$dump"
  [[ -z ${1-} || $(grep -c "$1" <<<"$dump") == 2 ]] || explain "expected $1 with both runtimes: $dump"
  succeeds ctl configure containerd --set-default
  contains 'nothing to change'
  succeeds ctl configure containerd --uninstall
  [[ $(files /etc/containerd) == "$before" ]] || explain "before: $before" "after: $(files /etc/containerd)"
}

@test "containerd: each form of its configuration, as the daemon reads it" {
  local name
  mkdir -p /etc/containerd
  takes_over
  printf 'version = 2\n\n[plugins]\n  [plugins."io.containerd.grpc.v1.cri".cni]\n    bin_dir = "/usr/lib/cni"\n' >/etc/containerd/config.toml
  takes_over
  for name in 'cri' '"io.containerd.grpc.v1.cri"'; do
    {
      [[ $name == cri ]] || printf 'version = 2\n'
      printf '[plugins.%s.containerd.runtimes.runc]\n  runtime_type = "io.containerd.runc.v2"\n' "$name"
      printf '  [plugins.%s.containerd.runtimes.runc.options]\n    SystemdCgroup = true' "$name"
    } >/etc/containerd/config.toml
    if [[ $name == cri ]] && containerd --version | grep -q ' v\?2\.[012]\.'; then
      # They take what they read there for unknown keys.
      ! containerd config dump 2>/dev/null | grep -q 'SystemdCgroup = true' || explain 'it reads version 1'
      fails_with 1 ctl configure containerd --set-default
      [[ $ERR == *'ignores the runtimes of a configuration of version 1'*'version = 2'* ]] || explain 'expected advice'
      continue
    fi
    takes_over 'SystemdCgroup = true'
  done
  containerd config default >/etc/containerd/config.toml
  takes_over
  # Another drop-in sets another default.
  if grep -q '^version = [34]' /etc/containerd/config.toml; then
    mkdir /etc/containerd/conf.d
    printf 'version = 3\n[plugins."io.containerd.cri.v1.runtime".containerd]\n  default_runtime_name = "runc"\n' >/etc/containerd/conf.d/99-nvidia.toml
    takes_over
  fi
}

@test "containerd: what it would not start with is left as it was" {
  mkdir -p /etc/containerd
  printf 'version = 2\noom_score = "high"\n' >/etc/containerd/config.toml
  local before
  before=$(files /etc/containerd)
  fails_with 1 ctl configure containerd
  [[ $ERR == *'does not read'* && $(files /etc/containerd) == "$before" ]] || explain "$(files /etc/containerd)"
}

@test "docker: what it would not start with is left as it was, where it can be asked" {
  mkdir -p /etc/docker
  printf '{"log-level": "loud"}\n' >/etc/docker/daemon.json
  local before
  before=$(files /etc/docker)
  if dockerd --validate --config-file /etc/docker/none 2>&1 | grep -q 'unknown flag'; then
    succeeds ctl configure docker
    succeeds ctl configure docker --uninstall
  else
    fails_with 1 ctl configure docker
    [[ $ERR == *'invalid logging level'* ]] || explain 'expected what dockerd says'
  fi
  [[ $(files /etc/docker) == "$before" ]] || explain "before: $before" "after: $(files /etc/docker)"
}

@test "podman: a drop-in" {
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >/etc/containers/containers.conf
  image | podman import - bb >/dev/null 2>&1
  shows root podman run --rm bb probe
  succeeds ctl configure podman --set-default
  shows nonroot podman run --rm bb probe
  podman run -d --name box bb probe pause >/dev/null
  succeeds ctl explain --json --podman box
  jq -e '.when == "after" and .decided.identity.uid == 65532' <<<"$OUT"
  podman rm --force --time 0 box >/dev/null
  says ctl doctor
  contains 'podman'
  succeeds ctl configure podman --uninstall
  [[ -z $(find /etc/containers -path '*containers.conf.d*' -type f) ]] || explain 'expected no drop-in'
  shows root podman run --rm bb probe
}
