# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The Docker that has the corpus's images, for whoever is in hack/engines-room.

# docker_up LOG [FLAG...] starts it and waits until it answers.
docker_up() {
  local log=$1 i
  shift
  dockerd --data-root "$PWD/.cache/compat/docker" "$@" >"$log" 2>&1 &
  DOCKERD=$!
  for ((i = 0; i < 300; i++)); do
    ! docker info >/dev/null 2>&1 || return 0
    [[ -e /proc/$DOCKERD ]] || break
    sleep 0.1
  done
  printf 'compat: Docker does not start:\n%s\n' "$(tail -n 5 "$log")" >&2
  return 1
}

docker_down() {
  kill "$DOCKERD"
  wait "$DOCKERD" || true
}
