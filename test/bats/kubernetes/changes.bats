#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What changes on a node that is ready: by others, where the agent only tells of it (node.repair=false), and by an upgrade, with the old
# and the new runtime on one node.

load kubernetes

setup_file() {
  local node
  agent_image
  older_image
  for node in "${NODES[@]}"; do on "$node" rm -f /run/restarts /var/log/nonroot-runc.log; done
}
teardown_file() { removed; }

# older_image has the same agent with the programs of another version.
older_image() {
  local node
  mkdir -p "$CLUSTER/older"
  cp "$REPO/bin/nonroot-node" "$REPO"/.cache/kubernetes/older/nonroot-{runc,ctl} "$CLUSTER/older/"
  archive nonroot-older "$CLUSTER/older" '{Entrypoint: ["/nonroot-node"]}'
  for node in "${NODES[@]}"; do import_image "$node" "$CLUSTER/nonroot-older.tar"; done
}

has_program() { [[ $(on "$1" sha256sum /opt/nonroot-runc/bin/nonroot-runc) == "$(sha256sum <"$2" | cut -d ' ' -f 1) "* ]]; }

# made_by NODE POD is the version that has decided about a pod's container.
made_by() { on "$1" jq -r --arg pod "$2" 'select(.event == "create" and .pod == $pod and .container == "web") | .version' /var/log/nonroot-runc.log; }

@test "an upgrade: containers of the old runtime go on, and answer to the new one; no restart of containerd" {
  local id node
  installed image.repository=docker.io/library/nonroot-older
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  has_program node1 "$REPO/.cache/kubernetes/older/nonroot-runc"
  new_namespace changes nonroot-runc.io/runtime=nonroot
  pod changes old '' '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"}'
  id=$(kubectl -n changes get pod old -o 'jsonpath={.status.containerStatuses[0].containerID}')
  installed
  kubectl -n nonroot-runc rollout status daemonset nonroot-node --timeout=180s >/dev/null
  for node in "${NODES[@]}"; do
    patiently has_program "$node" "$REPO/bin/nonroot-runc"
    patiently labelled "$node"
    [[ $(restarts "$node") == 1 ]] || explain "$(restarts "$node") restarts of $node"
  done
  pod changes new '' '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"}'
  [[ $(made_by node1 old) == 0.0.1 ]] || explain "old is made by $(made_by node1 old)"
  [[ $(made_by node1 new) != 0.0.1 && -n $(made_by node1 new) ]] || explain "new is made by $(made_by node1 new)"
  for name in old new; do shows nonroot inside changes "$name" probe; done
  [[ $(kubectl -n changes get pod old -o 'jsonpath={.status.containerStatuses[0].containerID}') == "$id" ]] || explain 'the pod was made again'
  # Who runs by the old one is killed and deleted by the new one.
  kubectl -n changes delete pod old --grace-period=1 --timeout=60s >/dev/null
}

@test "node.repair=false: what others change takes the label away, and stays as it is until the agent is started again" {
  installed node.repair=false
  kubectl -n nonroot-runc rollout status daemonset nonroot-node --timeout=180s >/dev/null
  local node
  for node in "${NODES[@]}"; do
    patiently labelled "$node"
    patiently condition_is "$node" '^True Ready '
  done
  on node1 rm /etc/containerd/conf.d/zz-nonroot.toml
  patiently unlabelled node1
  patiently condition_is node1 '^False Failed files of the installation were changed by others'
  labelled node2 || explain 'nothing was changed on the other node'
  # What runs goes on, and a new pod waits for a node that is ready.
  shows nonroot inside changes new probe
  pod changes elsewhere
  [[ $(kubectl -n changes get pod elsewhere -o 'jsonpath={.spec.nodeName}') == node2 ]] || explain 'expected the node that is ready'
  ! on node1 test -e /etc/containerd/conf.d/zz-nonroot.toml || explain 'it was restored'
  kubectl -n nonroot-runc delete pod "$(agent_of node1)" --grace-period=1 >/dev/null
  patiently labelled node1
  on node1 test -e /etc/containerd/conf.d/zz-nonroot.toml
  no_namespace changes
}
