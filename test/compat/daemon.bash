# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The Docker that has the corpus's images, for whoever is in hack/engines-room.

# now prints the time, in milliseconds.
now() { date +%s%3N; }

# docker_up LOG [FLAG...] starts it and waits until it answers. Its store is where every machine has it: a longer path would cut
# off more of what it logs.
docker_up() {
  local log=$1 root=$PWD/${DOCKER_ROOT:-.cache/compat/docker} i
  shift
  mkdir -p "$root" /var/lib/docker
  mount --bind "$root" /var/lib/docker
  # Debian's docker-compose speaks an older protocol than new daemons do by default.
  DOCKER_MIN_API_VERSION=1.24 dockerd "$@" >"$log" 2>&1 &
  DOCKERD=$!
  for ((i = 0; i < 300; i++)); do
    ! docker info >/dev/null 2>&1 || return 0
    [[ -e /proc/$DOCKERD ]] || break
    sleep 0.1
  done
  printf 'compat: Docker does not start:\n%s\n' "$(tail -n 5 "$log")" >&2
  return 1
}

# docker_for_images LOG starts one that runs no containers but those of builds, and touches no network of the machine.
docker_for_images() { docker_up "$1" --bridge none --iptables=false --ip6tables=false --ip-forward=false --ip-masq=false; }

# docker_for_entries starts the one that runs entries, with nothing but their images in it.
docker_for_entries() {
  runtimes
  docker_up "$RESULTS/dockerd"
  docker_empty
  docker_filled
}

docker_down() {
  kill "$DOCKERD"
  wait "$DOCKERD" || true
}

# runtimes registers nonroot-runc with the default policy, but for the log, as the record of a container that has ended is gone;
# and nonroot-N with line N of the levers beside it.
runtimes() {
  local lever runtimes n=0
  mkdir -p /etc/docker /etc/nonroot-runc
  printf '[log]\nfile = "/run/nonroot-runc.log"\n' >/etc/nonroot-runc/config.toml
  runtimes=$(jq -n '{nonroot: {path: "/usr/local/sbin/nonroot-runc"}}')
  while IFS=$'\t' read -r lever _; do
    n=$((n + 1))
    { printf '%s\n' "$lever" && cat /etc/nonroot-runc/config.toml; } >"/etc/nonroot-runc/without-$n.toml"
    nonroot-ctl policy check "/etc/nonroot-runc/without-$n.toml" >/dev/null
    runtimes=$(jq --arg n "nonroot-$n" --arg policy "/etc/nonroot-runc/without-$n.toml" \
      '.[$n] = {path: "/usr/local/sbin/nonroot-runc", runtimeArgs: ["--nonroot-config", $policy]}' <<<"$runtimes")
  done < <(test/compat/levers)
  jq '{runtimes: .}' <<<"$runtimes" >/etc/docker/daemon.json
}

# docker_filled gives a daemon with a store of its own what `save` has written.
docker_filled() {
  local tar=.cache/compat/images.tar stamp=${DOCKER_ROOT:-}/compat-images
  [[ -n ${DOCKER_ROOT:-} && ! $stamp -nt $tar ]] || return 0
  docker load --quiet --input "$tar" >/dev/null
  touch "$stamp"
}

# docker_empty removes what an earlier run left that was killed.
docker_empty() {
  docker ps -aq | xargs -r docker rm --force --volumes >/dev/null
  docker volume ls -q | xargs -r docker volume rm >/dev/null
}
