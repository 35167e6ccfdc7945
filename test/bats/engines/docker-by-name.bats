#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Docker where the bare runtime is the default, and nonroot-runc is for who names it. docker.bats has the rest, with
# nonroot-runc as the default.

load engines

setup_file() {
  no_policy
  configure_docker runc
  start_dockerd
  docker_image bb
}
teardown_file() { stop_dockerd; }
teardown() { no_containers; }

@test "a container keeps the runtime of its name: exec, health checks, restart" {
  shows root docker run --rm bb probe
  docker run -d --name box --runtime nonroot --health-cmd 'probe >/tmp/health' --health-interval 1s bb \
    sh -c 'probe; exec probe pause' >/dev/null
  await healthy box
  shows nonroot docker exec box cat /tmp/health
  shows nonroot docker exec -u 0 --privileged box probe
  docker restart --time 1 box >/dev/null
  shows nonroot docker exec -u 0 box probe
  docker stop --time 1 box >/dev/null
  succeeds docker logs box
  jq -se "$JQ_DEFS length == 2 and all(nonroot)" <<<"$OUT" >/dev/null || explain 'expected two starts as nobody'\''s root'
}

@test "terminals: run -it and exec -it" {
  says on_tty docker run --rm -it --runtime nonroot bb sh -c 'tty; id -u'
  [[ $OUT == *$'/dev/pts/0\r\n65532'* ]] || explain 'expected a terminal'
  docker run -d --name box --runtime nonroot bb probe pause >/dev/null
  says on_tty docker exec -it -u 0 box sh -c 'tty; id -u'
  [[ $OUT == *$'/dev/pts/'[01]$'\r\n65532'* ]] || explain 'expected a terminal of exec'
}

@test "compose: one service names the runtime, the other does not" {
  mkdir "$BATS_TEST_TMPDIR/named"
  cd "$BATS_TEST_TMPDIR/named"
  cat >docker-compose.yml <<'YAML'
version: "2.4"
services:
  bare:
    image: bb
    command: probe
  governed:
    image: bb
    runtime: nonroot
    user: root
    command: probe
YAML
  compose up -d
  local service
  for service in bare governed; do
    [[ $(docker wait "named_${service}_1" 2>/dev/null || docker wait "named-$service-1") == 0 ]]
  done
  shows root logs_of bare
  shows nonroot logs_of governed
  compose down --timeout 1
}
logs_of() { docker logs "named_$1_1" 2>/dev/null || docker logs "named-$1-1"; }

@test "exit codes are the bare runtime's" { same_exit_codes bb; }
bare() { docker run --rm "$@"; }
nonroot() { docker run --rm --runtime nonroot "$@"; }
