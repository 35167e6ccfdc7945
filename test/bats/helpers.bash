# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The kit of the end-to-end tests; hack/bats calls them, once with RUNTIME=runc and once with RUNTIME=crun. A test
# shows an attack with the bare runtime first and then through nonroot-runc:
#
#	load helpers
#
#	@test "A1: no user at all" {
#	  config 'del(.process.user)'
#	  bare_shows '.Uid == [0,0,0,0]'
#	  nonroot_shows 'nonroot'
#	}
#
# The container's program is `probe` (test/probe) where a test says nothing else; it prints what the kernel grants it.

bats_require_minimum_version 1.5.0

REPO=$(cd "${BATS_TEST_DIRNAME}/../.." && pwd)
# shellcheck source=test/bats/said.bash
source "$REPO/test/bats/said.bash"

setup() { setup_bundle; }
teardown() { end_containers; }

# setup_bundle makes $BUNDLE, a copy of the small distribution whose config.json asks for root as Docker's does, $STATE
# (the runtimes' --root), and $ID, a container id that no other test has.
setup_bundle() {
  RUNTIME=${RUNTIME:-runc}
  RUNTIME_PATH=$(command -v "$RUNTIME")
  BUNDLE=$BATS_TEST_TMPDIR/bundle
  ROOTFS=$BUNDLE/rootfs
  STATE=$BATS_TEST_TMPDIR/state
  ID=nrt-$RUNTIME-$BATS_SUITE_TEST_NUMBER-$RANDOM
  POLICY=$BATS_TEST_TMPDIR/policy.toml
  PROCESS=$BATS_TEST_TMPDIR/process.json
  umask 022
  mkdir -m 700 "$BUNDLE" "$STATE"
  cp -a "$NONROOT_BATS_KIT" "$ROOTFS"
  fresh
  # The tests must not depend on what the machine has in /etc/nonroot-runc: an empty policy is the defaults.
  : >"$POLICY"
  keeps_state "$STATE"
  cd "$BUNDLE" || return
}

# keeps_state DIRECTORY makes it the runtimes' --root.
keeps_state() {
  STATE=$1
  BARE=("$RUNTIME_PATH" --root "$STATE")
  NONROOT=("$REPO/bin/nonroot-runc" --nonroot-runtime "$RUNTIME_PATH" --nonroot-config "$POLICY" --root "$STATE")
}

# end_containers deletes what the test left, and fails where a mount of it is still there.
end_containers() {
  local state
  for state in "$STATE"/*/; do
    [[ -d $state ]] || continue
    "${BARE[@]}" delete --force "$(basename "$state")" 2>/dev/null || true
  done
  ! grep -F " $BATS_TEST_TMPDIR/" /proc/self/mountinfo
}

# bare is the real runtime; nonroot is the wrapper in front of it. Run in the bundle's directory, both need no --bundle.
bare() { "${BARE[@]}" "$@"; }
nonroot() { "${NONROOT[@]}" "$@"; }

# config [JQ-OPTION...] FILTER edits config.json.
config() { edit "$BUNDLE/config.json" "$@"; }

# fresh puts config.json back to what setup_bundle made: the wrapper has rewritten it.
fresh() { install -m 600 "$REPO/test/bats/config.json" "$BUNDLE/config.json"; }

# process [JQ-OPTION...] FILTER makes $PROCESS, what engines hand to exec: by default root's, with the capabilities
# of Docker and without noNewPrivileges.
process() {
  jq '.process' "$REPO/test/bats/config.json" >"$PROCESS"
  chmod 600 "$PROCESS"
  edit "$PROCESS" "$@"
}

# edit FILE [JQ-OPTION...] FILTER
edit() {
  local file=$1 text
  shift
  text=$(jq "$@" <"$file")
  printf '%s\n' "$text" >"$file"
}

# policy reads the policy file's new text from stdin.
policy() { cat >"$POLICY"; }

# mapped makes a user namespace whose root is the host's 100000, gives it the rootfs, and lets it pass through the
# directories on the way.
mapped() {
  config '.linux.namespaces += [{type: "user"}]
    | .linux.uidMappings = [{containerID: 0, hostID: 100000, size: 65536}]
    | .linux.gidMappings = .linux.uidMappings'
  chown -hR 100000:100000 "$ROOTFS"
  reachable
}

# reachable lets other users than root pass through the directories on the way to the bundle.
reachable() {
  local directory=$BUNDLE
  while [[ $directory != /var/tmp && $directory != /tmp && $directory != / ]]; do
    chmod go+x "$directory"
    directory=$(dirname "$directory")
  done
}

# layered mounts the rootfs as engines do: an overlay over the image, which stays as it is. relayered makes it new, unlayered
# takes it away.
layered() {
  local layers=$BATS_TEST_TMPDIR/layers
  mkdir "$layers"
  mount -t tmpfs -o mode=755 tmpfs "$layers"
  mkdir "$layers/upper" "$layers/work"
  mv "$ROOTFS" "$layers/image"
  mkdir "$ROOTFS"
  overlaid
}
relayered() {
  umount "$ROOTFS"
  rm -rf "$BATS_TEST_TMPDIR/layers/upper"
  mkdir "$BATS_TEST_TMPDIR/layers/upper"
  overlaid
}
unlayered() {
  umount "$ROOTFS" 2>/dev/null || true
  umount "$BATS_TEST_TMPDIR/layers" 2>/dev/null || true
}
overlaid() {
  local layers=$BATS_TEST_TMPDIR/layers
  mount -t overlay -o "lowerdir=$layers/image,upperdir=$layers/upper,workdir=$layers/work" overlay "$ROOTFS"
}

# runs WORD... makes the words the container's command.
runs() { config '.process.args = $ARGS.positional' --args -- "$@"; }

# bare_shows FILTER and nonroot_shows FILTER run the bundle. The bare one keeps config.json as the test made it.
bare_shows() { shows "$1" bare run "$ID"; }
nonroot_shows() { shows "$1" nonroot run "$ID"; }

# never_root COMMAND... : the wrapper either refuses, so that nothing runs, or what runs is nobody's root.
never_root() {
  says "$@"
  if [[ $STATUS != 0 ]]; then
    [[ -z $OUT && -n $ERR ]] || explain "expected a refusal without output of: $*"
  else
    jq -e "$JQ_DEFS nonroot" <<<"$OUT" >/dev/null || explain "expected no root of: $*"
  fi
}

# status_shows FILTER ID: the same for the first process of a container, as the host's /proc sees it.
status_shows() { shows "$1" proc_status "$2"; }

# refused REGEX COMMAND... : the command fails, its message matches, and nothing ran: no output, no container.
refused() {
  local regex=$1 before
  shift
  before=$(containers)
  says "$@"
  if [[ $STATUS == 0 || -n $OUT || ! $ERR =~ $regex || $(containers) != "$before" ]]; then
    explain "expected a refusal that matches: $regex" "of: $*" "containers before: $before" "after: $(containers)"
    return 1
  fi
}

# only RUNTIME... : whether the test runs under one of them, for attacks that the other runtime does not know.
only() { [[ " $* " == *" $RUNTIME "* ]]; }

# containers lists those of this test.
containers() { find "$STATE" -mindepth 1 -maxdepth 1 -printf '%f\n' | sort; }

# detached TOOL [ID] creates and starts a container that goes on: `detached bare`, `detached nonroot other-id`.
detached() {
  created "$@" && succeeds "$1" start "${2:-$ID}"
}

# created TOOL [ID] stops before start.
created() {
  runs probe pause
  succeeds "$1" create "${2:-$ID}"
}

# pid ID prints the host's pid of the container's first process.
pid() { bare state "$1" | jq -e .pid; }

# proc_status ID is what the host says of the container's first process.
proc_status() { status_of "$(pid "$1")"; }

# on_tty COMMAND... runs it in a new terminal, whose output it prints; `bare` and `nonroot` may be the command.
on_tty() {
  local command=("$@")
  case $1 in
    bare) command=("${BARE[@]}" "${@:2}") ;;
    nonroot) command=("${NONROOT[@]}" "${@:2}") ;;
  esac
  SHELL=/bin/bash script -qec "${command[*]@Q}" /dev/null
}
