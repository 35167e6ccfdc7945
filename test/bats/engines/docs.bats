#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The commands in docs/quickstart.md, docs/rollout.md and README.md, as they stand there.

load engines

setup_file() {
  rm -rf /etc/docker /etc/containers/containers.conf.d /etc/nonroot-runc
  mkdir -p /etc/containers
  # Podman's defaults want systemd's cgroups and journal, which not every machine has.
  printf '[engine]\ncgroup_manager = "cgroupfs"\nevents_logger = "file"\n' >/etc/containers/containers.conf
  start_dockerd
  docker_image busybox
  image | podman import - busybox >/dev/null
}
teardown_file() {
  no_containers
  docker rmi --force busybox >/dev/null
  stop_dockerd
}
teardown() {
  no_containers
  nonroot-ctl configure docker --uninstall --runtime-name rootful >/dev/null || true
  nonroot-ctl configure docker --uninstall >/dev/null
  nonroot-ctl configure runc --uninstall >/dev/null
  nonroot-ctl configure podman --uninstall >/dev/null
  no_policy
  rm -f /etc/nonroot-runc.* /var/log/nonroot-runc.log /root/{policy.toml,report.html}
  # dockerd forgets a default that is gone from its file by a restart only.
  stop_dockerd
  start_dockerd
}

# commands FILE HEADING prints the commands below a heading: the lines that are indented by four.
commands() {
  awk -v heading="## $2" '/^## / { in_it = ($0 == heading) } in_it && /^    / { print substr($0, 5) }' "$REPO/$1" |
    grep . || explain "$1 has no commands below $2"
}

# does FILE HEADING runs them, and ends at the first that fails.
does() {
  local script
  script=$(commands "$@")
  succeeds bash -euo pipefail -c "$script" </dev/null
}

@test "docs: quick start with setup, and by hand with Docker and the guard" {
  does docs/quickstart.md 'Any engine'
  contains 'nonroot-ctl configure docker --set-default --reload'
  does docs/quickstart.md Docker
  contains 'uid=65532(nonroot) gid=65532(nonroot)'
  shows nonroot docker run --rm --runtime runc busybox probe
  nonroot-ctl configure docker --guard --uninstall >/dev/null || true
}

@test "docs: a log and a report" {
  nonroot-ctl configure docker --set-default --reload >/dev/null
  does docs/quickstart.md 'A log and a report'
  contains 'ran as root 0, refused 0, left alone 0, without root 1'
}

@test "docs: quick start with Podman" {
  does docs/quickstart.md Podman
  contains 'uid=65532(nonroot) gid=65532(nonroot)'
}

@test "docs: quick start with containerd, and with CRI-O, of which only the configuration is here" {
  start_containerd
  import_containerd busybox
  does docs/quickstart.md containerd
  stop_containerd
  start_containerd
  succeeds nonroot-ctl doctor --engine containerd
  shows nonroot ctr run --rm --runc-binary /usr/local/sbin/nonroot-runc docker.io/library/busybox:latest docs probe
  succeeds nonroot-ctl configure containerd --uninstall
  stop_containerd
  mkdir /etc/crio
  does docs/quickstart.md CRI-O
  grep -rq '^default_runtime = "nonroot"' /etc/crio || explain 'not registered'
  succeeds nonroot-ctl configure crio --uninstall
  rm -r /etc/crio
}

@test "docs: no commands of the quick starts and of the roll-out are left out here" {
  local page heading
  for page in docs/quickstart.md docs/rollout.md; do
    while IFS= read -r heading; do
      grep -qF -e "does $page '$heading'" -e "does $page $heading" -e "commands $page '$heading'" "$BATS_TEST_FILENAME" || explain "$page: $heading"
    done < <(awk '/^## / { heading = substr($0, 4) } /^    / && heading != last { print last = heading }' "$REPO/$page" | grep .)
  done
}

@test "docs: one container needs root, why one fails, and the removal" {
  nonroot-ctl configure docker --set-default --reload >/dev/null
  does docs/quickstart.md 'One container needs root'
  [[ $(tail -n 1 <<<"$OUT") == 0 ]] || explain 'expected root'
  does docs/quickstart.md 'Why a container fails'
  contains 65532
  does docs/quickstart.md 'Remove it'
  stop_dockerd
  start_dockerd
  shows root docker run --rm busybox probe
}

@test "docs: the roll-out, from audit to enforcing" {
  succeeds nonroot-ctl setup --yes --engine docker --mode audit
  shows root docker run --rm busybox probe
  grep -q '^mode = "audit"' "$POLICY" || explain 'the policy that the page shows'
  does docs/rollout.md '2. Read'
  contains busybox
  [[ -s /root/report.html ]] || explain 'no page'
  does docs/rollout.md '3. Prepare volumes'
  does docs/rollout.md '4. Enforce'
  shows nonroot docker run --rm busybox probe
  # It fails, as there is a way around: no guard.
  fails_with 1 bash -c "$(commands docs/rollout.md '5. Keep it that way')"
  contains '--runtime runc: OPEN'
  succeeds nonroot-ctl policy apply --rollback
  shows root docker run --rm busybox probe
}

@test "docs: README's example" {
  nonroot-ctl configure docker --set-default --reload >/dev/null
  local command
  command=$(commands README.md Install | grep '^docker run')
  succeeds bash -c "$command"
  [[ $OUT == "$(commands README.md Install | grep '^uid=')" ]] || explain 'README shows something else'
}
