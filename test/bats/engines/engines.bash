# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The kit of the tests with real engines; hack/bats-engines calls them on what the engines take for a machine of their
# own. Daemons run at their default paths, once for each file, and are configured as a user would.

bats_require_minimum_version 1.5.0

REPO=$(cd "${BATS_TEST_DIRNAME}/../../.." && pwd)
# shellcheck source=test/bats/said.bash
source "$REPO/test/bats/said.bash"

# shellcheck disable=SC2034 # tests use it
NONROOT=/usr/local/sbin/nonroot-runc
POLICY=/etc/nonroot-runc/config.toml

# image prints a tar of the kit's files, as `import` of each engine takes it.
image() { tar -C "$NONROOT_BATS_KIT" -c .; }

# image_with_log is one more file, of a uid without an account: /var/log/app/a.log.
image_with_log() {
  local dir=$BATS_TEST_TMPDIR/with-log
  mkdir -p "$dir/var/log/app"
  : >"$dir/var/log/app/a.log"
  chown -R 88:4 "$dir/var/log/app"
  tar -C "$NONROOT_BATS_KIT" -cf "$dir.tar" .
  tar -C "$dir" -rf "$dir.tar" var/log/app
  cat "$dir.tar"
}

# background NAME COMMAND... starts a daemon. Its output is kept for the tests that fail.
background() {
  local name=$1
  shift
  "$@" >"$BATS_FILE_TMPDIR/$name.log" 2>&1 3>&- 4>&- &
  echo $! >"$BATS_FILE_TMPDIR/$name.pid"
}

# ended NAME ends a daemon and waits for its end.
ended() {
  local pid
  pid=$(<"$BATS_FILE_TMPDIR/$1.pid")
  kill "$pid" 2>/dev/null || true
  await gone "$pid"
}

gone() { [[ ! -e /proc/$1 || $(awk '/^State/ { print $2 }' "/proc/$1/status") == Z ]]; }

# daemon_log NAME prints the end of what a daemon said.
daemon_log() { tail -n "${2:-20}" "$BATS_FILE_TMPDIR/$1.log"; }

# on_tty COMMAND... gives the command a terminal, whose output it prints, and at which nobody types: at the end of its input,
# script types an end-of-file, which a terminal that is being made raw shows.
on_tty() {
  [[ -p $BATS_TEST_TMPDIR/typed ]] || mkfifo "$BATS_TEST_TMPDIR/typed"
  SHELL=/bin/bash script -qec "${*@Q}" /dev/null 0<>"$BATS_TEST_TMPDIR/typed"
}

# empty DIRECTORY... : there are such directories, and nothing is in them.
empty() {
  local left
  left=$(find "$@" -mindepth 1) || explain "expected such directories: $*"
  [[ -z $left ]] || explain "left: $left"
}

# same_exit_codes ARG... : what the container ends with comes back, by the file's own `bare` and `nonroot`.
same_exit_codes() {
  local code tool
  for code in 0 3 126 137; do
    for tool in bare nonroot; do fails_with "$code" "$tool" "$@" sh -c "exit $code"; done
  done
}

# policy reads the policy file's new text from stdin.
policy() {
  mkdir -p "${POLICY%/*}"
  cat >"$POLICY"
}

no_policy() { rm -rf "${POLICY%/*}"; }

# configure_docker DEFAULT registers nonroot-runc; the default runtime is that one or runc.
configure_docker() {
  mkdir -p /etc/docker
  printf '{"runtimes": {"nonroot": {"path": "%s"}}, "default-runtime": "%s"}\n' "$NONROOT" "$1" >/etc/docker/daemon.json
}

# start_dockerd [FLAG...] and stop_dockerd.
start_dockerd() {
  # Debian's starts a containerd of its own.
  background dockerd dockerd "$@"
  await docker info || { daemon_log dockerd && return 1; }
}
stop_dockerd() { ended dockerd; }

# no_containers is for teardown, and for tests of what is left.
no_containers() { docker ps -aq | xargs -r docker rm --force --volumes >/dev/null; }

# no_podman_containers [COMMAND...] is for teardown; COMMAND is podman as somebody else. It tries again, as the process that
# conmon starts when a container ends cleans up at the same time: the one that comes second may find the container's shm
# mounted ("unlinkat ...: device or resource busy", containers/podman issue 11594).
no_podman_containers() { await "${@:-podman}" rm --all --force --time 0; }

# docker_left_nothing: no container has left state, a bundle, a control group or a mount.
docker_left_nothing() {
  [[ -z $(docker ps -aq) ]] || explain 'a container is there'
  empty /run/docker/runtime-*/moby /run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby
  local groups mounts
  # BuildKit keeps one for its builds.
  groups=$(find /sys/fs/cgroup -mindepth 2 -type d -path '*/docker/*' ! -path '*/docker/buildkit')
  [[ -z $groups ]] || explain "left: $groups"
  mounts=$(awk '$5 ~ "^/(run|var/lib)/docker/" && $5 != "/run/docker/netns/default" { print $5 }' /proc/self/mountinfo)
  [[ -z $mounts ]] || explain "left: $mounts"
}

# healthy CONTAINER: its health check has succeeded.
healthy() { [[ $(docker inspect -f '{{.State.Health.Status}}' "$1") == healthy ]]; }

# compose is whichever there is: the plugin, or Debian's older program.
compose() {
  if docker compose version >/dev/null 2>&1; then docker compose "$@"; else docker-compose "$@"; fi 2>"$BATS_TEST_TMPDIR/compose"
}

# docker_image NAME [CHANGE...] makes an image of the kit's files.
docker_image() {
  local name=$1 flags=()
  shift
  while [[ $# -gt 0 ]]; do
    flags+=(--change "$1")
    shift
  done
  image | docker import "${flags[@]}" - "$name" >/dev/null
}

start_containerd() {
  # As containerd makes it, which pods with a user namespace pass through; a client that came before it made it 0700.
  install -d -m 711 /run/containerd
  background containerd containerd "$@"
  await ctr version || { daemon_log containerd && return 1; }
}
stop_containerd() { ended containerd; }

# import_containerd NAME [NAMESPACE [CONFIG]] makes an image of the kit's files, CONFIG being what jq adds to its own.
import_containerd() { image_archive "$1" "${3:-}" | ctr --namespace "${2:-default}" images import - >/dev/null; }

# image_archive NAME [CONFIG] prints one: containerd itself has no import of plain files, so it has the form of the image
# specification. The files are those of `image`.
image_archive() {
  local layout=$BATS_FILE_TMPDIR/$1 layer config manifest
  mkdir -p "$layout/blobs/sha256"
  blob() { # FILE TYPE: a descriptor of it
    local sum
    sum=$(sha256sum <"$1" | cut -d ' ' -f 1)
    cp "$1" "$layout/blobs/sha256/$sum"
    jq -cn --arg d "sha256:$sum" --arg t "application/vnd.oci.image.$2" --argjson s "$(stat -c %s "$1")" \
      '{mediaType: $t, digest: $d, size: $s}'
  }
  image >"$layout/file"
  layer=$(blob "$layout/file" layer.v1.tar)
  jq -cn --argjson l "$layer" "{architecture: \"amd64\", os: \"linux\", config: ({Env: [\"PATH=/bin\"]} + ${2:-{\}}),
    rootfs: {type: \"layers\", diff_ids: [\$l.digest]}}" >"$layout/file"
  config=$(blob "$layout/file" config.v1+json)
  jq -cn --argjson c "$config" --argjson l "$layer" '{schemaVersion: 2, config: $c, layers: [$l]}' >"$layout/file"
  manifest=$(blob "$layout/file" manifest.v1+json)
  jq -cn --argjson m "$manifest" --arg n "docker.io/library/$1:latest" '{schemaVersion: 2, manifests:
    [$m + {annotations: {"io.containerd.image.name": $n}}]}' >"$layout/index.json"
  printf '{"imageLayoutVersion": "1.0.0"}' >"$layout/oci-layout"
  rm "$layout/file"
  tar -C "$layout" -c .
  rm -r "$layout"
}
