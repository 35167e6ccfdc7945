#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# How many nodes restart their containerd at once: a share of them, and one that is lost with its turn.

load kubernetes

setup_file() {
  agent_image
}
teardown_file() { removed; }

# refusing keeps containerd of both nodes from coming back with the handlers, so that each turn lasts as long as it may.
refusing() {
  local node
  for node in "${NODES[@]}"; do on "$node" sh -c 'echo nonroot-runc >/run/refuse; rm -f /run/restarts'; done
}
agreeing() { on "$1" rm -f /run/refuse; }

holders() { kubectl -n nonroot-runc get leases -o 'jsonpath={range .items[*]}{.spec.holderIdentity}{"\n"}{end}' | grep . | sort | tr '\n' ' '; }
are_held_by() { [[ $(holders) == "$1" ]]; }

@test "half of two nodes is one at once, by a Lease that the agent makes, and which goes with the chart" {
  refusing
  # A turn that is longer than it takes the other agent to start, however busy the machine is.
  installed restart.nodes=50% restart.limit=4m
  succeeds helm get manifest nonroot-runc --namespace nonroot-runc
  [[ $OUT == *'kind: DaemonSet'* && $OUT != *'kind: Lease'* ]] || explain 'the chart makes a Lease'
  patiently one_turn
  local first
  first=$(holder 0)
  # The other one has asked, too, and waits.
  for node in "${NODES[@]}"; do [[ $node == "$first" ]] || other=$node; done
  patiently condition_is "$other" '^False Waiting waiting for its turn: 50% of the nodes may restart'
  [[ $(restarts "$other") == 0 ]] || explain "$other was restarted"
  for node in "${NODES[@]}"; do agreeing "$node"; done
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  [[ $(kubectl -n nonroot-runc get leases -o name | wc -l) == 1 ]] || explain 'more than one Lease'
  helm uninstall nonroot-runc --namespace nonroot-runc --wait >/dev/null
  patiently no_leases
  removed
}
one_turn() { [[ -n $(holders) ]] && [[ $(holders | wc -w) == 1 ]]; }
no_leases() { [[ -z $(kubectl -n nonroot-runc get leases -o name) ]]; }

@test "all of two nodes are two at once" {
  refusing
  installed restart.nodes=100% restart.limit=4m
  patiently are_held_by 'node1 node2 '
  for node in "${NODES[@]}"; do agreeing "$node"; done
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  patiently are_held_by ''
  removed
}

@test "a node is lost while it has the turn: the other gets it when it has run out, and the lost one goes on when it is back" {
  local lost other node
  refusing
  # Of the tests before.
  kubectl -n default delete events --all >/dev/null
  installed restart.limit=20s
  patiently one_turn
  lost=$(holder 0)
  for node in "${NODES[@]}"; do [[ $node == "$lost" ]] || other=$node; done
  patiently restarting "$lost"
  lose "$lost"
  agreeing "$other"
  # The Lease is for four times the limit.
  patiently condition_is "$other" '^False Waiting '
  [[ $(holder 0) == "$lost" && $(restarts "$other") == 0 ]] || explain "$other did not wait"
  patiently labelled "$other"
  [[ $(restarts "$other") == 1 ]] || explain "$(restarts "$other") restarts of $other"
  patiently has_event default "$other" NonRootInstalled
  agreeing "$lost"
  find_again "$lost"
  patiently labelled "$lost"
  new_namespace turns nonroot-runc.io/runtime=nonroot
  for node in "${NODES[@]}"; do
    pod turns "on-$node" '' ".spec.nodeSelector = {\"kubernetes.io/hostname\": \"$node\"}"
    shows nonroot inside turns "on-$node" probe
  done
  no_namespace turns
}
restarting() { [[ $(restarts "$1") -ge 1 ]]; }
