#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Many pods at once, under what happens to a cluster meanwhile.

load kubernetes

setup_file() {
  agent_image
  installed
  local node
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  new_namespace load nonroot-runc.io/runtime=nonroot
}
teardown_file() {
  on node1 rm -f /etc/static-pods/alone.yaml
  no_namespace load
  removed
}

# deployment NAME REPLICAS [FILTER]
deployment() {
  made_pod load x '' "${3:-.}" | jq --arg name "$1" --argjson n "$2" '{apiVersion: "apps/v1", kind: "Deployment", metadata: {name: $name, namespace: "load"}, spec: {replicas: $n,
    selector: {matchLabels: {a: $name}}, template: {metadata: {labels: {a: $name}}, spec: .spec}}}' | kubectl apply -f - >/dev/null
}
# all_of NAME: its pods are ready.
all_of() { kubectl -n load rollout status deployment "$1" --timeout=300s >/dev/null; }
containers() { kubectl -n load get pods -l "a=$1" -o json | jq -r '.items[] | "\(.metadata.name) \(.status.containerStatuses[0].containerID)"' | sort; }

# governed NAME NUMBER: the kernel says of the process of each of its pods, of which there are so many, that it is nobody's root, whatever
# uid the policy of the moment has.
governed() {
  local node id pids=0
  for node in "${NODES[@]}"; do
    for id in $(kubectl -n load get pods -l "a=$1" --field-selector "spec.nodeName=$node" -o 'jsonpath={range .items[*]}{.status.containerStatuses[0].containerID}{"\n"}{end}'); do
      shows '(.Uid | all(. >= 65532)) and gid(65532) and powerless and .Groups == []' status_of "$(<"$CLUSTER/$node/run/containerd/io.containerd.runtime.v2.task/k8s.io/${id#containerd://}/init.pid")"
      pids=$((pids + 1))
    done
  done
  [[ $pids == "$2" ]] || explain "$pids processes"
}

@test "a Deployment of fifty: one event for all of them" {
  deployment fifty 50
  all_of fifty
  [[ $(kubectl -n load get pods -l a=fifty -o 'jsonpath={.items[*].spec.runtimeClassName}' | tr ' ' '\n' | sort | uniq -c | xargs) == '50 nonroot' ]] || explain 'expected the class'
  governed fifty 50
  patiently told_once fifty
}
told_once() { [[ $(kubectl -n load get events -o json | jq --arg n "$1-" '[.items[] | select(.reason == "RunsAsNonRoot" and (.involvedObject.name | startswith($n)))] | length') == 1 ]]; }

@test "containerd is restarted while pods are made: those that ran go on, the others come" {
  local before after
  before=$(containers fifty)
  deployment more 20
  patiently some_of_more
  restart_node_containerd node1
  restart_node_containerd node2
  all_of more
  all_of fifty
  governed more 20
  after=$(containers fifty)
  [[ $after == "$before" ]] || explain 'pods that ran were made again' "$(diff <(echo "$before") <(echo "$after"))"
  [[ $(kubectl -n load get pods -l a=fifty -o 'jsonpath={.items[*].status.containerStatuses[0].restartCount}' | tr ' ' '\n' | sort -u) == 0 ]] || explain 'containers were restarted'
  local node
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  kubectl -n load delete deployment more --grace-period=1 >/dev/null
}
some_of_more() { [[ $(kubectl -n load get deployment more -o 'jsonpath={.status.readyReplicas}') -ge 1 ]]; }

@test "twenty policies in a row: the last one is in force on each node" {
  local uid node
  for uid in {71001..71020}; do
    jq -n --arg text "identity.uid = $uid"$'\n[log]\nfile = "/var/log/nonroot-runc.log"\n' '{data: {"config.toml": $text}}' >"$BATS_TEST_TMPDIR/patch"
    kubectl -n nonroot-runc patch configmap nonroot-runc-policy --type merge --patch-file "$BATS_TEST_TMPDIR/patch" >/dev/null
  done
  for node in "${NODES[@]}"; do
    patiently last_is_in_force "$node"
    pod load "by-$node" '' ".spec.nodeSelector = {\"kubernetes.io/hostname\": \"$node\"}"
    shows 'uid(71020)' inside load "by-$node" probe
    # By renames: nothing of the nineteen is left.
    [[ $(on "$node" find /etc/nonroot-runc -type f | sort | xargs -n 1 basename | xargs) == 'audit.toml config.toml' ]] || explain "$(on "$node" ls -A /etc/nonroot-runc)"
  done
  # Those that ran before are who they were.
  governed fifty 50
  kubectl -n load delete pod by-node1 by-node2 --grace-period=1 >/dev/null
}
last_is_in_force() { on "$1" grep -q 'uid = 71020' /etc/nonroot-runc/config.toml && condition_is "$1" '^True Ready '; }

@test "the API server is away for two minutes: nothing stops, and pods start under the handler" {
  local node
  end_daemon kube-apiserver KILL
  # A static pod needs no API server; it runs under the handler.
  made_pod load alone nonroot | on node1 tee /etc/static-pods/alone.yaml >/dev/null
  patiently on node1 grep -q '"pod":"alone-node1"' /var/log/nonroot-runc.log
  sleep 120
  [[ $(pidof nonroot-node | wc -w) == 2 ]] || explain 'an agent has ended'
  start_api
  patiently kubectl get --raw /readyz
  for node in "${NODES[@]}"; do patiently ready "$node"; done
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  # The event on it waits for the pod to be known.
  patiently has_event load alone-node1 RunsAsNonRoot
  on node1 rm /etc/static-pods/alone.yaml
}

@test "a node's reboot: the agent comes back, and with it the node; its pods are governed again" {
  local started
  kubectl -n load delete deployment fifty --grace-period=1 >/dev/null
  # On the node that is lost; of a Deployment that shrinks, all of the other node may stay.
  deployment four 4 '.spec.nodeSelector = {"kubernetes.io/hostname": "node2"}'
  all_of four
  started=$(containers four)
  lose node2
  patiently not_ready node2
  find_again node2
  patiently labelled node2
  # Until its kubelet has seen to it, the pods are as they were.
  patiently started_anew "$started" || explain 'nothing was started anew'
  all_of four
  patiently settled_pods
  governed four 4
}
# started_anew CONTAINERS: none of them is left.
started_anew() { [[ -z $(comm -12 <(echo "$1") <(containers four)) ]]; }
not_ready() { ! ready "$1"; }
settled_pods() { [[ $(kubectl -n load get pods -l a=four -o json | jq '[.items[] | select(.status.containerStatuses[0].ready)] | length') == 4 ]]; }
