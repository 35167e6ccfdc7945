#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Kubernetes' way: pods by the Container Runtime Interface, with nonroot-runc as a runtime handler beside runc. The client is
# the kubelet's own (test/criclient).

load engines

setup_file() {
  mkdir -p /etc/containerd /etc/cni/net.d
  cat >/etc/containerd/config.toml <<'TOML'
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "docker.io/library/pause:latest"
  # A score below zero asks for a capability that not every machine gives away.
  restrict_oom_score_adj = true
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/usr/lib/cni"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
    pod_annotations = ["*"]
TOML
  # The handler is the one that users get, with the options of runc's.
  nonroot-ctl configure containerd
  cat >/etc/cni/net.d/10-pods.conflist <<'JSON'
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipam": {"type": "host-local", "subnet": "10.88.0.0/16"}}]}
JSON
  start_containerd
  import_containerd bb k8s.io
  # The pod's own container; its command is in the image.
  import_containerd pause k8s.io '{Cmd: ["/bin/probe", "pause"]}'
}
teardown_file() { stop_containerd; }

setup() {
  no_policy
  POD=$BATS_TEST_TMPDIR/pod.json
  cp "$REPO/test/criclient/sandbox.json" "$POD"
  # Several tests' pods must not be one.
  jq_edit "$POD" ".metadata.name = \"web$BATS_SUITE_TEST_NUMBER\""
  SANDBOX=
}
teardown() { [[ -z $SANDBOX ]] || remove; }

cri() { "$NONROOT_ENGINES_WORK/criclient" /run/containerd/containerd.sock "$@"; }

# jq_edit FILE FILTER
jq_edit() { jq "$2" "$1" >"$1.new" && mv "$1.new" "$1"; }

# sandbox HANDLER makes the pod.
sandbox() { SANDBOX=$(cri sandbox "$1" <"$POD"); }

remove() {
  cri remove "$SANDBOX"
  SANDBOX=
}

# container [FILTER] makes and starts a container of the pod; $CONTAINER is its id.
container() {
  CONTAINER=$(jq ".metadata.name = \"c$RANDOM\" | .command = [\"/bin/probe\", \"pause\"] | ${1:-.}" "$REPO/test/criclient/container.json" |
    cri create "$SANDBOX" "$POD")
}

security() { printf '.linux.security_context |= (%s)' "$1"; }

# bundle ID prints the directory of a container.
bundle() { printf /run/containerd/io.containerd.runtime.v2.task/k8s.io/%s "$1"; }

# init_shows FILTER ID: what the kernel says of a container's first process, the pod's own included.
init_shows() { shows "$1" status_of "$(cat "$(bundle "$2")/init.pid")"; }

@test "a pod and a container that ask for nothing: root under runc, nobody's root here" {
  sandbox runc
  container
  shows root cri exec "$CONTAINER" probe
  init_shows root "$CONTAINER"
  remove
  sandbox nonroot
  container
  shows nonroot cri exec "$CONTAINER" probe
  init_shows nonroot "$CONTAINER"
}

@test "F15: the pod's own container, too" {
  sandbox nonroot
  init_shows nonroot "$SANDBOX"
}

@test "D1: a probe's exec has the container's identity" {
  sandbox nonroot
  container "$(security '.run_as_user = {value: 1000} | .run_as_group = {value: 1000}')"
  shows 'nonroot(1000; 1000)' cri exec "$CONTAINER" probe
  init_shows 'nonroot(1000; 1000)' "$CONTAINER"
  fails_with 3 cri exec "$CONTAINER" sh -c 'exit 3'
}

@test "a privileged pod and container get no privileges" {
  jq_edit "$POD" '.linux.security_context.privileged = true'
  sandbox nonroot
  # The bare runtime would need every capability of the machine's.
  container "$(security '.privileged = true | del(.seccomp)')"
  shows nonroot cri exec "$CONTAINER" probe
  init_shows nonroot "$CONTAINER"
}

@test "A3: fsGroup and supplementalGroups go on working, the host's groups do not" {
  sandbox nonroot
  container "$(security '.supplemental_groups = [6, 999, 2000, 3000]')"
  shows 'uid(65532) and powerless and .Groups == [2000, 3000]' cri exec "$CONTAINER" probe
}

@test "B1: RuntimeDefault and Unconfined alike, no user namespace" {
  sandbox nonroot
  for type in 0 1; do
    container "$(security ".seccomp.profile_type = $type")"
    shows '.unshare == "EPERM" and .clone3 == "ENOSYS"' cri exec "$CONTAINER" probe userns
  done
}

@test "F1 F3: a pod's annotations exempt nobody" {
  jq_edit "$POD" '.annotations = {"io.kubernetes.cri.container-type": "sandbox", "bundle": "/evil", "run.oci.keep_original_groups": "1"}'
  sandbox nonroot
  init_shows nonroot "$SANDBOX"
  container '.annotations += {"io.kubernetes.cri.container-type": "sandbox"}'
  shows nonroot cri exec "$CONTAINER" probe
}

@test "C6: the containers of a pod share a uid of the range, with a volume; another pod has another" {
  policy <<<'identity.range = "200000-265535"'
  uid_of() { cri exec "$1" probe | jq '.Uid[0]'; }
  sandbox nonroot
  container
  local first=$CONTAINER
  container
  local uid
  uid=$(uid_of "$first")
  ((uid >= 200000 && uid <= 265535))
  [[ $(uid_of "$CONTAINER") == "$uid" ]]
  init_shows ".Uid[0] == $uid" "$SANDBOX"
  remove
  # A pod of the name again, such as a StatefulSet's.
  sandbox nonroot
  container
  [[ $(uid_of "$CONTAINER") == "$uid" ]]
  remove
  jq_edit "$POD" '.metadata.name = "other"'
  sandbox nonroot
  container
  [[ $(uid_of "$CONTAINER") != "$uid" ]]
  rm -r /var/lib/nonroot-runc
}

@test "containers of a pod share its process namespace" {
  jq_edit "$POD" '.linux.security_context.namespace_options.pid = 0'
  sandbox nonroot
  container "$(security '.namespace_options.pid = 0')"
  succeeds cri exec "$CONTAINER" sh -c 'ls -d /proc/[0-9]* | wc -l'
  [[ $OUT -ge 3 ]] || explain 'expected to see the pod'
}

@test "H11: containers that share the processes of a pod stay who they are; one for debugging is who its target is" {
  sandbox nonroot
  container "$(security '.run_as_user = {value: 1700} | .run_as_group = {value: 1701}')"
  local target=$CONTAINER
  container "$(security ".namespace_options = {pid: 3, target_id: \"$target\"}")"
  shows 'nonroot(1700; 1701)' cri exec "$CONTAINER" probe
  jq -e '.source == "joined"' "$(bundle "$CONTAINER")/nonroot-runc.json" >/dev/null || explain 'the record'
  remove
  # The sandbox's user is no application's.
  jq_edit "$POD" '.linux.security_context.namespace_options.pid = 0 | .linux.security_context.run_as_user = {value: 65535}'
  sandbox nonroot
  container "$(security '.namespace_options.pid = 0')"
  shows 'nonroot(65532; 65532)' cri exec "$CONTAINER" probe
  jq -e '.source == "fixed"' "$(bundle "$CONTAINER")/nonroot-runc.json" >/dev/null || explain 'the record'
}

@test "stop and remove leave nothing" {
  sandbox nonroot
  container
  [[ $(cri state "$CONTAINER") == running ]]
  [[ -e $(bundle "$CONTAINER")/nonroot-runc.json ]]
  cri stop "$CONTAINER"
  remove
  empty /run/containerd/runc/k8s.io /run/containerd/io.containerd.runtime.v2.task/k8s.io
}

@test "a refusal is what the kubelet would show" {
  sandbox nonroot
  policy <<<'mode = "refuse"'
  fails_with 255 container
  [[ $ERR == *'asks for root'*'set USER in its image'* ]] || explain 'expected advice'
}

@test "hostUsers: false" {
  jq_edit "$POD" '.linux.security_context.namespace_options.userns_options = {mode: 0,
    uids: [{host_id: 1000000, container_id: 0, length: 65536}], gids: [{host_id: 1000000, container_id: 0, length: 65536}]}'
  if containerd --version | grep -q ' v\?1\.6\.'; then
    # containerd 1.6 knows no such pods: it makes an ordinary one (user namespaces came with 1.7 and 2.0).
    sandbox nonroot
    grep -q ' 0 *4294967295' "/proc/$(cat "$(bundle "$SANDBOX")/init.pid")/uid_map"
    return
  fi
  sandbox runc
  container "$(security '.namespace_options.userns_options = {mode: 0,
    uids: [{host_id: 1000000, container_id: 0, length: 65536}], gids: [{host_id: 1000000, container_id: 0, length: 65536}]}')"
  shows root cri exec "$CONTAINER" probe
  remove
  sandbox nonroot
  container "$(security '.namespace_options.userns_options = {mode: 0,
    uids: [{host_id: 1000000, container_id: 0, length: 65536}], gids: [{host_id: 1000000, container_id: 0, length: 65536}]}')"
  shows nonroot cri exec "$CONTAINER" probe
  init_shows '.Uid == [1065532, 1065532, 1065532, 1065532]' "$CONTAINER"
}

@test "configure containerd --uninstall is refused while a pod needs the handler" {
  sandbox nonroot
  container
  fails_with 1 nonroot-ctl configure containerd --uninstall --dry-run
  local pod
  pod=default/$(jq -r .metadata.name "$POD")
  [[ $ERR == *'2 containers need the runtime "nonroot"'*"\"$pod\" (running)"*"\"$pod/c"*'" (running)'* ]] || explain "expected $pod"
  succeeds nonroot-ctl configure containerd --uninstall --keep-name --dry-run
  remove
  # Pods of another handler don't.
  sandbox runc
  succeeds nonroot-ctl configure containerd --uninstall --dry-run
}
