#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A handler that an administrator has registered on one node by hand: nonroot-ctl configure containerd, and a RuntimeClass.

load kubernetes

HERE='.spec.nodeName = "node1"'

setup_file() {
  on node1 install -m 755 "$REPO"/bin/nonroot-{runc,ctl} /usr/local/sbin/
  on node1 nonroot-ctl configure containerd
  restart_node_containerd node1
  patiently handler_is_there
  class nonroot
  new_namespace by-hand
}
handler_is_there() { kubectl get node node1 -o 'jsonpath={.status.runtimeHandlers[*].name}' | grep -qw nonroot; }

teardown_file() {
  no_namespace by-hand
  kubectl delete runtimeclass nonroot >/dev/null
  on node1 nonroot-ctl configure containerd --uninstall
  restart_node_containerd node1
  on node1 rm -rf /usr/local/sbin/nonroot-{runc,ctl} /var/lib/nonroot-runc /etc/nonroot-runc
}

setup() { on node1 rm -rf /etc/nonroot-runc; }

@test "a root image: root under runc, nobody's root under the handler, by exec too" {
  pod by-hand bare '' "$HERE"
  shows root inside by-hand bare probe
  pod by-hand governed nonroot "$HERE"
  shows nonroot inside by-hand governed probe
  # Who asks for root is told no lie by exec, but by the status, which has what was asked for.
  succeeds inside by-hand governed id -u
  [[ $OUT == 65532 ]] || explain 'expected the identity'
}

@test "a refusal is an event of the pod" {
  on node1 mkdir -p /etc/nonroot-runc
  on node1 tee /etc/nonroot-runc/config.toml <<<'mode = "refuse"' >/dev/null
  made_pod by-hand refused nonroot "$HERE" | kubectl apply -f - >/dev/null
  patiently has_event by-hand refused 'asks for root.*set USER in its image'
}

@test "its log, and a probe by exec" {
  pod by-hand served nonroot "$HERE"' | .spec.containers[0] |= (.command = ["sh", "-c", "echo said; mkdir -p /tmp/w && echo page >/tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w"]
    | .readinessProbe = {exec: {command: ["sh", "-c", "test $(id -u) != 0"]}, periodSeconds: 1})'
  # The probe may succeed before the container has said something, and serves.
  patiently has_said
  patiently serves
}
has_said() { [[ $(kubectl -n by-hand logs served) == said ]]; }
serves() { [[ $(inside by-hand served wget -qO- http://127.0.0.1:8080/) == page ]]; }

@test "a Deployment, and a restart of containerd under it: no pod is made again" {
  kubectl -n by-hand apply -f - >/dev/null <<'YAML'
apiVersion: apps/v1
kind: Deployment
metadata: {name: many}
spec:
  replicas: 5
  selector: {matchLabels: {app: many}}
  template:
    metadata: {labels: {app: many}}
    spec:
      runtimeClassName: nonroot
      nodeName: node1
      terminationGracePeriodSeconds: 1
      containers: [{name: web, image: "docker.io/library/bb:latest", imagePullPolicy: Never, command: [/bin/probe, pause]}]
YAML
  kubectl -n by-hand rollout status deployment many --timeout=300s >/dev/null
  local before
  before=$(containers)
  restart_node_containerd node1
  # What the API server has of the node may be of before.
  patiently on node1 ctr version
  patiently handler_is_there
  patiently ready node1
  kubectl -n by-hand rollout status deployment many --timeout=300s >/dev/null
  [[ $(containers) == "$before" ]] || explain 'expected the same containers'
  local name
  for name in $(kubectl -n by-hand get pods -l app=many -o name); do
    patiently inside by-hand "${name#pod/}" true # the kubelet connects again
    shows nonroot inside by-hand "${name#pod/}" probe
  done
}
containers() { kubectl -n by-hand get pods -l app=many -o 'jsonpath={range .items[*]}{.status.containerStatuses[0].containerID}{"\n"}{end}' | sort; }
