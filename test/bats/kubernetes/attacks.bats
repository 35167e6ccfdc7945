#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Part G of SECURITY.md, by somebody who may do more in the cluster than the owner of a namespace: first the attack where what is
# recommended is left out, then where it is done.

load kubernetes

setup_file() {
  agent_image
  installed
  local node
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
  new_namespace g nonroot-runc.io/runtime=nonroot
  new_namespace unlabelled
  # Mallory has what the owner of a namespace usually has.
  kubectl -n g create rolebinding mallory --clusterrole=edit --user=mallory >/dev/null
  kubectl -n unlabelled create rolebinding mallory --clusterrole=edit --user=mallory >/dev/null
  patiently may mallory g create pods
  patiently may mallory unlabelled create pods
}
teardown_file() {
  kubectl delete validatingwebhookconfiguration mallory --ignore-not-found >/dev/null
  no_namespace g g-other unlabelled
  kubectl delete clusterrole,clusterrolebinding mallory --ignore-not-found >/dev/null
  kubectl delete runtimeclass mine --ignore-not-found >/dev/null
  removed
}

as_mallory() { kubectl --as=mallory "$@"; }
forbidden() {
  fails_with 1 as_mallory "$@"
  [[ $ERR == *orbidden* ]] || explain 'expected that it is forbidden'
}

# anew NAMESPACE NAME [FILTER] has Mallory make a pod, on node1, and waits for it.
anew() {
  as_mallory -n "$1" delete pod "$2" --ignore-not-found --grace-period=1 >/dev/null
  made_pod "$1" "$2" '' '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"} | '"${3:-.}" | as_mallory apply -f - >/dev/null
  runs "$1" "$2"
}

policy_is() { on node1 grep -q "$1" /etc/nonroot-runc/config.toml; }

@test "G2: who may write the policy's ConfigMap ends it, and who owns a namespace may not" {
  local off='{"data": {"config.toml": "mode = \"off\"\nreason = \"mine\"\n[log]\nfile = \"/var/log/nonroot-runc.log\"\n"}}' before
  before=$(kubectl -n nonroot-runc get configmap nonroot-runc-policy -o json | jq '{data}')
  anew g pod
  shows nonroot inside g pod probe
  # With a right that looks harmless.
  kubectl -n nonroot-runc create role mallory --verb=patch --verb=get --resource=configmaps >/dev/null
  kubectl -n nonroot-runc create rolebinding mallory --role=mallory --user=mallory >/dev/null
  patiently may mallory nonroot-runc patch configmaps
  as_mallory -n nonroot-runc patch configmap nonroot-runc-policy --type merge -p "$off" >/dev/null
  patiently policy_is '"mine"'
  anew g pod
  shows root inside g pod probe
  # Without it.
  kubectl -n nonroot-runc delete rolebinding mallory >/dev/null
  kubectl -n nonroot-runc patch configmap nonroot-runc-policy --type merge -p "$before" >/dev/null
  policy_is_back() { ! policy_is '"mine"'; }
  patiently policy_is_back
  patiently may_not mallory nonroot-runc patch configmaps
  forbidden -n nonroot-runc patch configmap nonroot-runc-policy --type merge -p "$off"
  forbidden -n nonroot-runc create configmap other --from-literal=a=b
  # A ConfigMap of that name elsewhere is no policy.
  as_mallory -n g create configmap nonroot-runc-policy --from-literal=config.toml=$'mode = "off"\nreason = "mine"' >/dev/null
  anew g pod
  shows nonroot inside g pod probe
  ! policy_is '"mine"' || explain 'the ConfigMap of another namespace is in force'
}

@test "G3: who may make RuntimeClasses: one of another handler is of no use in a labelled namespace, and ours stay ours" {
  kubectl create clusterrole mallory --verb=get,create,delete,update,patch --resource=runtimeclasses.node.k8s.io >/dev/null
  kubectl create clusterrolebinding mallory --clusterrole=mallory --user=mallory >/dev/null
  patiently may mallory default create runtimeclasses.node.k8s.io
  as_mallory apply -f - >/dev/null <<<'{apiVersion: node.k8s.io/v1, kind: RuntimeClass, metadata: {name: mine}, handler: runc}'
  # Where no label holds pods, it is runc.
  anew unlabelled pod '.spec.runtimeClassName = "mine"'
  shows root inside unlabelled pod probe
  fails_with 1 as_mallory apply -f <(made_pod g other mine)
  [[ $ERR == *'run with the RuntimeClass nonroot, not "mine"'* ]] || explain 'expected the reason'
  # The class of the label itself, made anew for another handler.
  kubectl get runtimeclass nonroot -o json | jq 'del(.metadata.uid, .metadata.resourceVersion, .metadata.creationTimestamp)' >"$BATS_TEST_TMPDIR/class"
  as_mallory delete runtimeclass nonroot >/dev/null
  # Nothing takes its place: pods wait for it.
  refused_without() { [[ $(made_pod g while-gone | as_mallory create --dry-run=server -f - 2>&1) == *'RuntimeClass "nonroot" not found'* ]]; }
  patiently refused_without
  fails_with 1 as_mallory apply -f <(made_pod g while-gone)
  fails_with 1 as_mallory create -f <(jq '.handler = "runc"' "$BATS_TEST_TMPDIR/class")
  [[ $ERR == *'the RuntimeClass nonroot is for the handler nonroot'* ]] || explain 'expected the reason'
  as_mallory create -f "$BATS_TEST_TMPDIR/class" >/dev/null
  anew g pod
  shows nonroot inside g pod probe
}

@test "G5: who may make pods, or exec, in the agent's namespace is root on the node; in a labelled one nobody is" {
  local privileged='.spec.hostPID = true | .spec.containers[0].securityContext = {privileged: true}'
  kubectl -n nonroot-runc create rolebinding mallory --clusterrole=edit --user=mallory >/dev/null
  patiently may mallory nonroot-runc create pods
  anew nonroot-runc pod "$privileged"
  shows 'root and (powerless | not)' inside nonroot-runc pod probe
  # Of the agent, there are three programs, one of which writes containerd's configuration.
  succeeds as_mallory -n nonroot-runc exec "$(agent_of node1)" -- /nonroot-ctl version
  # What is recommended.
  kubectl -n nonroot-runc delete rolebinding mallory >/dev/null
  kubectl -n nonroot-runc delete pod pod --grace-period=1 >/dev/null
  patiently may_not mallory nonroot-runc create pods/exec
  forbidden -n nonroot-runc exec "$(agent_of node1)" -- /nonroot-ctl version
  forbidden apply -f <(made_pod nonroot-runc pod '' "$privileged")
  # The owner of a labelled namespace is privileged in vain; that of one without a label is not held.
  anew g pod "$privileged"
  shows nonroot inside g pod probe
  anew unlabelled pod "$privileged"
  shows root inside unlabelled pod probe
}

@test "G6: a hostPath over the policy, the log, the programs or containerd's configuration" {
  local path
  mounted() { printf '.spec.volumes = [{name: "h", hostPath: {path: "%s"}}] | .spec.containers[0].volumeMounts = [{name: "h", mountPath: "/h"}]' "$1"; }
  # Root of another handler writes each of them.
  for path in /etc/nonroot-runc /var/log /opt/nonroot-runc/bin /etc/containerd/conf.d; do
    anew unlabelled pod "$(mounted "$path")"
    succeeds inside unlabelled pod touch /h/tried
    on node1 test -e "$path/tried" || explain "$path was not written"
    on node1 rm "$path/tried"
  done
  # A pod of ours does not start with what is nonroot-runc's.
  for path in /etc/nonroot-runc /var/log/nonroot-runc.log /opt/nonroot-runc/bin/nonroot-runc; do
    as_mallory -n g delete pod held --ignore-not-found --grace-period=1 >/dev/null
    made_pod g held '' '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"} | '"$(mounted "$path")" | as_mallory apply -f - >/dev/null
    patiently has_event g held "$path"
    [[ $(kubectl -n g get pod held -o 'jsonpath={.status.containerStatuses[0].state.running}') == '' ]] || explain "it runs with $path"
  done
  # Directories above are root's, and nobody in it is.
  for path in /etc/containerd/conf.d /opt/nonroot-runc/bin; do
    anew g held "$(mounted "$path")"
    shows nonroot inside g held probe
    fails_with 1 inside g held touch /h/tried
    ! on node1 test -e "$path/tried" || explain "$path was written"
  done
}

@test "G9: a webhook that holds up the events of a namespace holds up no others, and none is lost" {
  local on_node1='.spec.nodeSelector = {"kubernetes.io/hostname": "node1"}' lines
  new_namespace g-other nonroot-runc.io/runtime=nonroot
  # Nothing listens there: the API server answers each event of the namespace with status 500.
  kubectl apply -f - >/dev/null <<'YAML'
apiVersion: admissionregistration.k8s.io/v1
kind: ValidatingWebhookConfiguration
metadata: {name: mallory}
webhooks:
  - name: events.mallory.example
    rules: [{apiGroups: [""], apiVersions: [v1], resources: [events], operations: [CREATE]}]
    namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: g}}
    clientConfig: {url: "https://127.0.0.1:1/"}
    failurePolicy: Fail
    sideEffects: None
    admissionReviewVersions: [v1]
YAML
  held_up() {
    local said
    said=$(jq -n '{apiVersion: "v1", kind: "Event", metadata: {name: "tried", namespace: "g"}, involvedObject: {namespace: "g"}}' | kubectl create --dry-run=server -f - 2>&1)
    [[ $said == *'failed calling webhook'* ]]
  }
  patiently held_up
  pod g first '' "$on_node1"
  pod g-other first '' "$on_node1"
  patiently has_event g-other first '^RunsAsNonRoot '
  # In the log, it comes behind one that still waits; and what waits is known to the next agent.
  lines=$(on node1 jq -r 'select(.event == "create" and .container == "web" and .pod == "first") | .namespace' /var/log/nonroot-runc.log)
  [[ $lines == $'g\n'*g-other* ]] || explain "the log has the lines of $lines"
  ! has_event g first '^RunsAsNonRoot ' || explain 'the webhook held nothing up'
  kubectl -n nonroot-runc delete pod "$(agent_of node1)" --grace-period=5 >/dev/null
  pod g-other second '' "$on_node1"
  patiently has_event g-other second '^RunsAsNonRoot '
  kubectl delete validatingwebhookconfiguration mallory >/dev/null
  patiently has_event g first '^RunsAsNonRoot '
  [[ $(events g first | grep -c '^RunsAsNonRoot ') == 1 ]] || explain "$(events g first)"
}
