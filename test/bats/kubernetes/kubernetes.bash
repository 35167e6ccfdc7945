# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# The kit of the tests on a cluster, which setup_suite.bash starts.

bats_require_minimum_version 1.5.0

# shellcheck source=test/bats/kubernetes/cluster.bash
source "${BASH_SOURCE[0]%/*}/cluster.bash"
# shellcheck source=test/bats/said.bash
source "$REPO/test/bats/said.bash"

# new_namespace NAME [LABEL] makes one in which pods can be made.
new_namespace() {
  kubectl create namespace "$1" >/dev/null
  patiently has_account "$1"
  [[ -z ${2-} ]] || label_namespace "$1" "$2"
}

# label_namespace NAME LABEL waits until a label for a class counts: admission learns of it later than kubectl does.
label_namespace() {
  kubectl label namespace "$1" "$2" >/dev/null
  [[ $2 != nonroot-runc.io/runtime=* ]] || patiently gets_class "$1" "${2#*=}"
}
gets_class() { [[ $(made_pod "$1" try | kubectl create --dry-run=server -f - -o 'jsonpath={.spec.runtimeClassName}') == "$2" ]]; }

# may USER NAMESPACE VERB RESOURCE: the API server knows that the user may; it learns of a binding later than kubectl does. may_not is the same
# of a binding that is gone.
may() { [[ $(kubectl -n "$2" auth can-i "$3" "$4" --as="$1" 2>/dev/null) == yes ]]; }
may_not() { [[ $(kubectl -n "$2" auth can-i "$3" "$4" --as="$1" 2>/dev/null) == no ]]; }

# no_namespace NAME... removes them and what is in them.
no_namespace() { kubectl delete namespace --ignore-not-found --grace-period=1 --timeout=300s "$@" >/dev/null; }

# pod NAMESPACE NAME [CLASS [FILTER]] makes a pod of the small image, and waits until it runs; jq's FILTER changes what it is.
pod() {
  made_pod "$@" | kubectl apply -f - >/dev/null
  runs "$1" "$2"
}

# made_pod prints it.
made_pod() {
  jq -n --arg ns "$1" --arg name "$2" --arg class "${3-}" '{apiVersion: "v1", kind: "Pod", metadata: {name: $name, namespace: $ns},
    spec: ({terminationGracePeriodSeconds: 1, automountServiceAccountToken: false, enableServiceLinks: false, containers: [{name: "web", image: "docker.io/library/bb:latest",
      imagePullPolicy: "Never", command: ["/bin/probe", "pause"]}]} + (if $class == "" then {} else {runtimeClassName: $class} end))}' |
    jq "${4:-.}"
}

# runs NAMESPACE POD waits for it.
runs() {
  kubectl -n "$1" wait --for=condition=Ready --timeout=300s "pod/$2" >/dev/null || {
    kubectl -n "$1" describe pod "$2" >&2
    return 1
  }
}

# inside NAMESPACE POD COMMAND... runs it in a container of the pod.
inside() {
  local ns=$1 name=$2
  shift 2
  kubectl -n "$ns" exec "$name" -- "$@"
}

# events NAMESPACE NAME prints the reasons and messages of the events on an object.
events() { kubectl -n "$1" get events --field-selector "involvedObject.name=$2" -o json | jq -r '.items[] | "\(.reason) \(.message)" | gsub("\n"; " ")'; }

# has_event NAMESPACE NAME PATTERN
has_event() { events "$1" "$2" | grep -qE "$3"; }

# class NAME makes a RuntimeClass without more.
class() {
  kubectl apply -f - >/dev/null <<YAML
apiVersion: node.k8s.io/v1
kind: RuntimeClass
metadata: {name: $1}
handler: $1
YAML
}

# files NODE prints what is where the agent writes.
files() {
  on "$1" sh -c 'find /etc /opt /usr/local /var/lib/nonroot-runc -printf "%y %m %U %p %l\n"
    find /etc /opt /usr/local /var/lib/nonroot-runc -type f -exec sha256sum {} +' 2>/dev/null | sort
}

# agent_image makes the agent's, which has three files, on each node; or it is the one of the archive NONROOT_NODE_IMAGE.
agent_image() {
  local node
  mkdir -p "$CLUSTER/image"
  cp "$REPO"/bin/nonroot-{node,runc,ctl} "$CLUSTER/image/"
  if [[ -n ${NONROOT_NODE_IMAGE-} ]]; then
    cp "$NONROOT_NODE_IMAGE" "$CLUSTER/nonroot-node.tar"
  else
    archive nonroot-node "$CLUSTER/image" '{Entrypoint: ["/nonroot-node"]}'
  fi
  for node in "${NODES[@]}"; do import_image "$node" "$CLUSTER/nonroot-node.tar"; done
}

# put [ARG...] installs what users install, with the agent's arguments and the image that the nodes have. deploy waits for it, too.
deploy() {
  # shellcheck disable=SC2119
  put
  kubectl -n nonroot-runc rollout status daemonset nonroot-node --timeout=180s >/dev/null || {
    kubectl -n nonroot-runc logs daemonset/nonroot-node --tail=20 >&2
    kubectl get nodes -o json | jq '.items[].status.conditions[] | select(.type == "NonRootRunc")' >&2
    return 1
  }
}
# shellcheck disable=SC2120 # others give some
put() {
  local args
  args=$(jq -cn '[$ARGS.positional[] | {op: "add", path: "/spec/template/spec/containers/0/args/-", value: .}]' --args -- \
    -restart=/usr/local/bin/restart-containerd -restart-limit=30s "$@")
  rm -rf "$CLUSTER/overlay"
  mkdir -p "$CLUSTER/overlay"
  cp -r "$REPO/deploy/kubernetes" "$CLUSTER/overlay/base"
  cat >"$CLUSTER/overlay/kustomization.yaml" <<YAML
resources: [base]
images: [{name: ghcr.io/nonroot-runc/nonroot-node, newName: docker.io/library/nonroot-node, newTag: latest}]
patches:
  - target: {kind: DaemonSet}
    patch: '$(jq -c '. + [{op: "replace", path: "/spec/template/spec/containers/0/imagePullPolicy", value: "Never"}]' <<<"$args")'
YAML
  kubectl apply -k "$CLUSTER/overlay" >/dev/null
}

# installed [VALUE...] is what users do with Helm, with the image that the nodes have and values NAME=VALUE; removed takes it away again.
installed() {
  local value values=()
  for value in image.repository=docker.io/library/nonroot-node image.tag=latest image.pullPolicy=Never restart.command=/usr/local/bin/restart-containerd \
    restart.limit=30s "$@"; do values+=(--set "$value"); done
  helm upgrade --install nonroot-runc "$REPO/deploy/helm/nonroot-runc" --namespace nonroot-runc --create-namespace "${values[@]}" >/dev/null
}
removed() {
  local node
  helm uninstall nonroot-runc --namespace nonroot-runc --ignore-not-found --wait >/dev/null
  no_namespace nonroot-runc
  no_labels
  for node in "${NODES[@]}"; do
    on "$node" sh -c 'rm -rf /run/refuse /opt/nonroot-runc /var/lib/nonroot-runc /etc/nonroot-runc; rm -f /etc/containerd/conf.d/* /etc/containerd/*.nonroot-receipt'
    restart_node_containerd "$node"
  done
  for node in "${NODES[@]}"; do
    patiently on "$node" ctr version
    patiently ready "$node"
  done
}

# no_labels takes away those that an agent leaves which is gone before it has taken itself back: the next one's are waited for.
no_labels() { kubectl label nodes --all nonroot-runc.io/ready- >/dev/null; }

# agent_of NODE is the name of its agent's pod.
agent_of() { kubectl -n nonroot-runc get pods -l app.kubernetes.io/component=node --field-selector "spec.nodeName=$1" -o 'jsonpath={.items[0].metadata.name}'; }

restarts() { on "$1" sh -c 'cat /run/restarts 2>/dev/null | wc -l'; }
condition() { kubectl get node "$1" -o json | jq -r '.status.conditions[] | select(.type == "NonRootRunc") | "\(.status) \(.reason) \(.message)"'; }
condition_is() { condition "$1" | grep -qE "$2"; }
unlabelled() { ! labelled "$1"; }

# holder NUMBER is the node that has this Lease; "" for none.
holder() { kubectl -n nonroot-runc get lease "nonroot-runc-restart-$1" -o 'jsonpath={.spec.holderIdentity}'; }

labelled() { [[ $(kubectl get node "$1" -o 'jsonpath={.metadata.labels.nonroot-runc\.io/ready}') == true ]]; }
