#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The agent killed at each of its steps, on the way there and on the way back: whoever comes next goes on. It runs as a process of
# the node, with its account's token, so that no kubelet waits longer each time before it starts it again.

load kubernetes

setup_file() {
  mkdir -p "$CLUSTER/idle"
  cp -r "$REPO/deploy/kubernetes" "$CLUSTER/idle/base"
  cat >"$CLUSTER/idle/kustomization.yaml" <<'YAML'
resources: [base]
patches:
  - target: {kind: DaemonSet}
    patch: '[{"op": "add", "path": "/spec/template/spec/nodeSelector", "value": {"no": "node"}}]'
YAML
  kubectl apply -k "$CLUSTER/idle" >/dev/null
  patiently has_account nonroot-runc
  local account=/run/secrets/kubernetes.io/serviceaccount
  on node2 mkdir -p "$account"
  on node2 cp "$CLUSTER/ca.crt" "$account/ca.crt"
  kubectl -n nonroot-runc create token nonroot-node --bound-object-kind Node --bound-object-name node2 >"$CLUSTER/token"
  on node2 cp "$CLUSTER/token" "$account/token"
  # The node had been governed by hand: a policy that only root may read, and copies of it.
  # shellcheck disable=SC2016
  on node2 sh -c 'umask 077 && mkdir -p /etc/nonroot-runc /var/lib/nonroot-runc/good /var/lib/nonroot-runc/previous
    for dir in /etc/nonroot-runc /var/lib/nonroot-runc/good /var/lib/nonroot-runc/previous; do echo "identity.uid = 70001 # $dir" >"$dir/config.toml"; done'
  files node2 >"$CLUSTER/node2.unkilled"
  on node2 rm -f /run/restarts
}

teardown_file() {
  [[ ! -e $CLUSTER/agent.pid ]] || end_daemon agent KILL
  kubectl delete -k "$CLUSTER/idle" --grace-period=5 >/dev/null
  on node2 rm -rf /opt/nonroot-runc /var/lib/nonroot-runc /etc/nonroot-runc /run/secrets
  no_labels
}

# agent [ARG...] starts it.
agent() {
  : >"$CLUSTER/agent.log"
  daemon agent become_on node2 env NODE_NAME=node2 POD_NAMESPACE=nonroot-runc KUBERNETES_SERVICE_HOST=10.96.0.1 KUBERNETES_SERVICE_PORT=443 \
    "$REPO/bin/nonroot-node" -programs "$REPO/bin" -restart restart-containerd -restart-limit 30s "$@"
}

# killed_after TEXT [ARG...] starts it, and kills it when it has said that.
killed_after() {
  local text=$1
  shift
  agent "$@"
  patiently grep -qF "$text" "$CLUSTER/agent.log"
  end_daemon agent KILL
}

labelled() { [[ $(kubectl get node node2 -o 'jsonpath={.metadata.labels.nonroot-runc\.io/ready}') == true ]]; }
unlabelled() { ! labelled; }

@test "killed at each step of the way there" {
  local step
  for step in 'msg=starting' 'policy in force' 'programs installed' 'handlers registered'; do killed_after "$step"; done
  agent
  patiently labelled
  # The one that was killed with it has restarted it, or has not.
  [[ $(on node2 sh -c 'wc -l </run/restarts') -le 2 ]] || explain 'containerd was restarted again and again'
  class_runs nonroot
}
class_runs() {
  new_namespace killed
  pod killed governed "$1" '.spec.nodeName = "node2"'
  shows nonroot inside killed governed probe
  no_namespace killed
}

@test "killed while it is ready: nothing is done again" {
  local restarts
  restarts=$(on node2 cat /run/restarts)
  end_daemon agent KILL
  killed_after 'msg=starting'
  killed_after 'self-test passed'
  agent
  patiently grep -qF 'self-test passed' "$CLUSTER/agent.log" || explain "$(tail -n 20 "$CLUSTER/agent.log")"
  labelled
  [[ $(on node2 cat /run/restarts) == "$restarts" ]] || explain 'containerd was restarted'
  end_daemon agent KILL
}

@test "the API server is away: the node stays as it is, and what is changed meanwhile is done afterwards" {
  agent
  patiently grep -qF 'self-test passed' "$CLUSTER/agent.log"
  end_daemon kube-apiserver KILL
  on node2 rm /etc/containerd/conf.d/zz-nonroot.toml
  patiently grep -qE 'was not told|wait' "$CLUSTER/agent.log"
  # The daemon that runs has the handlers.
  on node2 test -e /opt/nonroot-runc/bin/nonroot-runc
  start_api
  patiently kubectl get --raw /readyz
  patiently on node2 test -e /etc/containerd/conf.d/zz-nonroot.toml
  # It had the Lease before it wrote that.
  patiently given_back
  patiently labelled
  end_daemon agent KILL
}
given_back() { [[ -z $(holder 0) ]]; }

@test "a daemon that does not come back while pods need the handlers: its files are what they were" {
  local before
  new_namespace killed
  pod killed needing nonroot '.spec.nodeName = "node2"'
  on node2 rm /etc/containerd/conf.d/zz-nonroot.toml /etc/containerd/conf.d/zz-nonroot-audit.toml
  on node2 restart-containerd
  before=$(containerd_files)
  on node2 sh -c 'echo nonroot-runc >/run/refuse'
  agent
  patiently grep -qF 'its configuration was put back' "$CLUSTER/agent.log"
  end_daemon agent KILL
  on node2 rm /run/refuse
  [[ $(containerd_files) == "$before" ]] || explain "before: $before" "after: $(containerd_files)"
  # The pod went on; with the handlers there again, so do calls into it.
  agent
  patiently labelled
  end_daemon agent KILL
  shows nonroot inside killed needing probe
  [[ $(kubectl -n killed get pod needing -o 'jsonpath={.status.containerStatuses[0].restartCount}') == 0 ]] || explain 'it was started anew'
  no_namespace killed
}
containerd_files() { on node2 sh -c 'find /etc/containerd -printf "%p %m\n" -type f -exec sha256sum {} \; | sort'; }

@test "killed at each step of the way back, and without nonroot-ctl: byte for byte" {
  patiently no_pods
  agent
  patiently labelled
  end_daemon agent KILL
  killed_after 'msg=starting' -remove=true
  on node2 rm /opt/nonroot-runc/bin/nonroot-ctl
  killed_after 'taking the handlers out' -remove=true
  killed_after 'restarting the CRI daemon' -remove=true
  # Those who were killed while they wrote. No process has an id beyond the kernel's limit (proc(5), pid_max).
  on node2 touch /etc/nonroot-runc/.nonroot-config.toml.4194305 /etc/containerd/.nonroot-config.toml.4194305 \
    /etc/containerd/conf.d/.nonroot-zz-nonroot.toml.4194305 /opt/nonroot-runc/bin/nonroot-ctl.new
  agent -remove=true
  patiently grep -qF 'nothing of nonroot-runc is left' "$CLUSTER/agent.log"
  patiently unlabelled
  diff "$CLUSTER/node2.unkilled" <(files node2) >&2 || explain 'something is left'
}
no_pods() { ! on node2 ctr -n k8s.io containers ls | grep -q nonroot; }
