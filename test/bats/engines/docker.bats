#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0

load engines

setup_file() {
  mkdir -p /etc/docker
  printf '{"runtimes": {"nonroot": {"path": "%s"}}}\n' "$NONROOT" >/etc/docker/daemon.json
  start_dockerd
  docker_image bb
}
teardown_file() { stop_dockerd; }

@test "docker run" {
  shows root docker run --rm --runtime runc bb probe
  shows nonroot docker run --rm --runtime nonroot bb probe
  docker network ls
  docker run --rm --runtime nonroot bb ip addr
}
