#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What runs as root now, in containers of Docker, Podman and containerd: each by its engine, its name and its reason. And
# doctor's lists of the containers that are root's by another runtime or from the time of mode audit.

load engines

setup_file() {
  mkdir -p /etc/containers/containers.conf.d
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >/etc/containers/containers.conf
  printf '[engine]\nruntime = "nonroot"\n[engine.runtimes]\nnonroot = ["%s"]\n' "$NONROOT" >/etc/containers/containers.conf.d/nonroot.conf
  no_policy
  configure_docker nonroot
  start_dockerd
  docker_image bb
  start_containerd
  import_containerd bb
  image | podman import - bb >/dev/null
}
teardown_file() {
  stop_containerd
  stop_dockerd
}

setup() { no_policy; }
teardown() {
  no_policy
  no_containers
  no_podman_containers
}

# lists [OPTION...] is what ps says, in $OUT.
lists() {
  succeeds nonroot-ctl ps --json "$@" || return
  OUT=$(jq -c .containers <<<"$OUT")
}

# holds FILTER: it is so. listed ID FILTER: of the container.
holds() { jq -e "$1" <<<"$OUT" >/dev/null || explain "expected: $1"; }
listed() { holds "[.[] | select(.id == \"$1\")] | length == 1 and (.[0] | $2)"; }
unlisted() { holds "all(.[]; .id != \"$1\")"; }

@test "ps, Docker: runc's as root, with what exec started; one that is governed; one of mode audit; one that is exempt" {
  local plain governed watched exempt
  plain=$(docker run -d --runtime runc --name plain bb sleep 1000)
  docker exec -d plain sleep 2000
  governed=$(docker run -d --name governed bb sleep 1000)
  docker exec -d governed sleep 2000
  policy <<<'mode = "audit"'
  watched=$(docker run -d --name watched bb sleep 1000)
  policy <<<'[[rule]]
name = "backup"
mode = "off"
reason = "reads all files"
match.engine = ["docker"]'
  exempt=$(docker run -d --name exempt bb sleep 1000)
  no_policy

  lists
  listed "$plain" '.engine == "docker" and .name == "plain" and .image == "bb" and (.governed | not) and (.why | test("left no record")) and
    ([.processes[].role] == ["init", "exec"]) and all(.processes[]; .host_root and .inner_root and .uids == [0])'
  listed "$watched" '.engine == "docker" and .name == "watched" and .governed and .mode == "audit" and (.why | test("^mode audit, by the general part"))'
  listed "$exempt" '.name == "exempt" and .mode == "off" and .rule == "backup" and .why == "mode off, by the rule \"backup\": \"reads all files\""'
  unlisted "$governed"
  lists --all
  listed "$governed" '.name == "governed" and .mode == "rewrite" and .why == "rewritten to uid 65532" and
    ([.processes[].role] == ["init", "exec"]) and all(.processes[]; .uids == [65532] and (.host_root or .inner_root | not))'
  fails_with 2 nonroot-ctl ps --exit-code
  contains "docker name \"plain\" image \"bb\" id \"$plain\""
  contains 'exec, uid 0, ROOT: "sleep" "2000"'
  contains '4 processes run as root'

  # Their runtimes are asked for by doctor: both lists are made, whatever the other one has.
  says nonroot-ctl doctor
  contains 'warn docker: containers: OPEN: 1 of 4 containers was created with another runtime and is NOT governed: "plain" ("runc")'
  contains 'warn docker: containers: OPEN: 2 of 4 containers run as root'
  [[ $(grep 'of 4 containers run as root' <<<"$OUT") == *'"watched"'* && $(grep 'of 4 containers run as root' <<<"$OUT") == *'"exempt"'* ]] || explain 'expected both'
}

@test "ps, Podman: runc's as root, with what exec started; one that is governed; one of mode audit" {
  local plain governed watched
  plain=$(podman --runtime runc run -d --name plain bb sleep 1000)
  podman exec -d plain sleep 2000
  governed=$(podman run -d --name governed bb sleep 1000)
  podman exec -d governed sleep 2000
  policy <<<'mode = "audit"'
  watched=$(podman run -d --name watched bb sleep 1000)
  no_policy

  lists
  listed "$plain" '.engine == "podman" and .name == "plain" and (.image | test("/bb:latest$")) and (.governed | not) and (.why | test("left no record")) and
    ([.processes[].role] == ["init", "exec"]) and all(.processes[]; .host_root and .inner_root)'
  listed "$watched" '.engine == "podman" and .name == "watched" and .mode == "audit" and (.why | test("^mode audit, by the general part"))'
  unlisted "$governed"
  lists --all
  listed "$governed" '.engine == "podman" and .why == "rewritten to uid 65532" and ([.processes[].role] == ["init", "exec"]) and all(.processes[]; .uids == [65532])'

  says nonroot-ctl doctor
  contains 'warn podman: containers: OPEN: 1 of 3 containers was created with another runtime and is NOT governed: "plain" ("runc")'
  contains 'warn podman: containers: OPEN: 1 of 3 containers runs as root'
  [[ $(grep 'of 3 containers runs as root' <<<"$OUT") == *'"watched"'* ]] || explain 'expected its name'
}

@test "ps, Podman: root in a user namespace is nobody's root on the host, and is told apart" {
  local id
  id=$(podman --runtime runc run -d --uidmap 0:300000:1000 --gidmap 0:300000:1000 bb sleep 1000)
  lists
  listed "$id" '(.governed | not) and all(.processes[]; .uids == [300000] and .inner_uids == [0] and .inner_root and (.host_root | not))'
  succeeds nonroot-ctl ps
  contains 'uid 300000 (inside 0), root inside only'
}

@test "ps, containerd: runc's as root, with what exec started; one that is governed" {
  ctr run -d --runc-binary "$(command -v runc)" docker.io/library/bb:latest plain sleep 1000
  ctr tasks exec --detach --exec-id more plain sleep 2000
  ctr run -d --runc-binary "$NONROOT" docker.io/library/bb:latest governed sleep 1000
  lists --all
  for id in plain governed; do
    ctr tasks kill --signal KILL --all "$id"
    await ctr tasks rm "$id"
    ctr containers rm "$id"
  done
  listed plain '.engine == "containerd" and .namespace == "default" and (.why | test("left no record")) and ([.processes[].role] == ["init", "exec"]) and all(.processes[]; .host_root)'
  listed governed '.engine == "containerd" and .why == "rewritten to uid 65532" and all(.processes[]; .uids == [65532])'
}
