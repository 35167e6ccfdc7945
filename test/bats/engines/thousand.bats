#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Many containers through Docker, twenty at a time. CONTAINERS says how many (1000).

load engines

# All of them on two processors, beside other tests: a machine with other work takes more than half an hour.
export BATS_TEST_TIMEOUT=3600
CONTAINERS=${CONTAINERS:-1000}

setup_file() {
  no_policy
  configure_docker runc
  start_dockerd
  docker_image bb
}
teardown_file() { stop_dockerd; }

# many RUNTIME NUMBER starts them, and counts what their first processes say of themselves.
many() {
  seq "$2" | xargs -P 20 -I N docker run --rm --network none --runtime "$1" bb id -u 2>&1 | sort | uniq -c
}

# kilobytes prints the memory that the daemons hold, without what they share with others.
kilobytes() {
  local pid sum=0
  for pid in "$(<"$BATS_FILE_TMPDIR/dockerd.pid")" $(</run/docker/containerd/containerd.pid); do
    sum=$((sum + $(awk '/^Rss(Anon):/ { print $2 }' "/proc/$pid/status")))
  done
  printf '%s' "$sum"
}

@test "$CONTAINERS containers, 20 at a time: no failure, nothing left, memory as with the bare runtime" {
  local bare nonroot
  says many runc "$CONTAINERS"
  [[ $OUT =~ ^\ *$CONTAINERS\ 0$ ]] || explain 'the bare runtime fails, too'
  bare=$(kilobytes)
  says many nonroot "$CONTAINERS"
  [[ $OUT =~ ^\ *$CONTAINERS\ 65532$ ]] || explain 'expected nothing but 65532'
  nonroot=$(kilobytes)
  docker_left_nothing
  printf '# anonymous memory of dockerd and containerd: %s kB after %s containers with runc, %s kB after as many with nonroot-runc\n' \
    "$bare" "$CONTAINERS" "$nonroot" >&3
  # Go's heaps breathe: a leak of 10 kB a container would show.
  [[ $((nonroot - bare)) -lt $((CONTAINERS * 10)) || $nonroot -lt $((bare * 5 / 4)) ]] || explain "$bare kB before, $nonroot kB after"
}
