#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The node agent, installed as users do, on two nodes whose containerd a script restarts.

load kubernetes

setup_file() {
  local node
  agent_image
  for node in "${NODES[@]}"; do
    files "$node" >"$CLUSTER/$node.before"
    on "$node" rm -f /run/restarts
  done
  # Of agents of other files: the events of nodes are in this namespace.
  kubectl -n default delete events --all >/dev/null
  new_namespace team-a
  # It runs since before there was an agent.
  pod team-a earlier '' '.spec.nodeName = "node1"'
  kubectl -n team-a get pod earlier -o 'jsonpath={.status.containerStatuses[0].containerID}' >"$CLUSTER/earlier"
  deploy
  for node in "${NODES[@]}"; do patiently labelled "$node"; done
}

teardown_file() {
  local node
  for node in "${NODES[@]}"; do on "$node" rm -f /run/refuse; done
  no_namespace team-a team-b team-c team-d
  kubectl delete runtimeclass runc --ignore-not-found >/dev/null
  kubectl delete -f "$REPO/deploy/policies/runasuser.yaml" --ignore-not-found >/dev/null
  kubectl delete -k "$CLUSTER/overlay" --ignore-not-found --grace-period=5 >/dev/null
  for node in "${NODES[@]}"; do on "$node" rm -rf /opt/nonroot-runc /var/lib/nonroot-runc /etc/nonroot-runc; done
  no_labels
}

annotation() { kubectl get node "$1" -o json | jq -r --arg a "nonroot-runc.io/$2" '.metadata.annotations[$a] // ""'; }

# policy TEXT [LOG] replaces the ConfigMap's, and the log of the audited one.
policy() {
  kubectl -n nonroot-runc create configmap nonroot-runc-policy --dry-run=client -o yaml --from-literal=config.toml="$1" \
    --from-literal=audit.toml=$'mode = "audit"\n[log]\nfile = "'"${2-/var/log/nonroot-runc.log}"'"' | kubectl replace -f - >/dev/null
}
LOG=$'[log]\nfile = "/var/log/nonroot-runc.log"\n'

@test "a node is ready after one restart of containerd, and no pod is stopped by it" {
  local node
  for node in "${NODES[@]}"; do
    [[ $(restarts "$node") == 1 ]] || explain "$(restarts "$node") restarts of $node"
    condition_is "$node" '^True Ready ' || explain "$(condition "$node")"
  done
  [[ $(kubectl -n team-a get pod earlier -o 'jsonpath={.status.containerStatuses[0].containerID}') == "$(<"$CLUSTER/earlier")" ]] || explain 'the pod was made again'
  shows root inside team-a earlier probe
}

@test "at most one node restarts at once" {
  # Of each node, the one event says when its restart was over; the Lease was held from before it until then.
  local times
  times=$(kubectl get events -A -o json | jq -r '.items[] | select(.reason == "NonRootInstalled") | .source.host' | sort | tr '\n' ' ')
  [[ $times == 'node1 node2 ' ]] || explain "installed: $times"
  [[ -z $(kubectl -n nonroot-runc get lease nonroot-runc-restart-0 -o 'jsonpath={.spec.holderIdentity}') ]] || explain 'the Lease is still held'
}

@test "a pod that names the class is nobody's root, and the event on it says so" {
  pod team-a named nonroot
  shows nonroot inside team-a named probe
  patiently has_event team-a named '^RunsAsNonRoot container "web" asked for root and runs as 65532:65532'
}

@test "nonroot-audit leaves root, and says what would be" {
  pod team-a audited nonroot-audit
  shows root inside team-a audited probe
  patiently has_event team-a audited '^WouldRunAsNonRoot container "web" runs as root and would run as 65532:65532'
  # What would be closed is said before it is.
  kubectl -n team-a create secret generic closed --from-literal=word=secret >/dev/null
  pod team-a foretold nonroot-audit '.spec.volumes = [{name: "s", secret: {secretName: "closed", defaultMode: 256}}] | .spec.containers[0].volumeMounts = [{name: "s", mountPath: "/s"}]'
  patiently has_event team-a foretold '^NonRootMayFail container "web" may fail once it does not run as root: "word" in "/s".*set fsGroup'
}

@test "G1: a labelled namespace: who names no class gets it, by whatever path; who names another is refused" {
  new_namespace team-b
  pod team-b before
  shows root inside team-b before probe
  label_namespace team-b nonroot-runc.io/runtime=nonroot
  pod team-b after
  shows nonroot inside team-b after probe
  class runc
  fails_with 1 kubectl apply -f <(made_pod team-b other runc)
  [[ $ERR == *'pods of the namespace team-b run with the RuntimeClass nonroot, not "runc": leave runtimeClassName out'* ]] || explain 'expected the reason'
  # A Deployment, too: otherwise nobody would see that its pods are refused.
  local deployment='{apiVersion: "apps/v1", kind: "Deployment", metadata: {name: "d", namespace: "team-b"}, spec: {replicas: 2, selector: {matchLabels: {a: "d"}},
    template: {metadata: {labels: {a: "d"}}, spec: {runtimeClassName: $class, terminationGracePeriodSeconds: 1, containers: [{name: "web", image: "docker.io/library/bb:latest", imagePullPolicy: "Never", command: ["/bin/probe", "pause"]}]}}}}'
  fails_with 1 kubectl apply -f <(jq -n --arg class runc "$deployment")
  [[ $ERR == *'not "runc": leave runtimeClassName out'* ]] || explain 'expected the reason'
  succeeds kubectl apply -f <(jq -n --arg class nonroot "$deployment | del(.spec.template.spec.runtimeClassName)")
  kubectl -n team-b rollout status deployment d --timeout=90s >/dev/null
  succeeds kubectl -n team-b get pods -l a=d -o 'jsonpath={.items[*].spec.runtimeClassName}'
  [[ $OUT == 'nonroot nonroot' ]] || explain 'expected the class'
  # One event for both pods.
  patiently told_of_deployment
  [[ $(deployment_events) == 1 ]] || explain "$(deployment_events) events"
}
deployment_events() { kubectl -n team-b get events -o json | jq '[.items[] | select(.reason == "RunsAsNonRoot" and (.involvedObject.name | startswith("d-")))] | length'; }
told_of_deployment() { [[ $(deployment_events) -ge 1 ]]; }

@test "runAsNonRoot with an image made for root: deploy/policies/runasuser.yaml says who it is" {
  kubectl apply -f "$REPO/deploy/policies/runasuser.yaml" >/dev/null
  new_namespace team-d nonroot-runc.io/runtime=nonroot
  kubectl label namespace team-d nonroot-runc.io/run-as-user=65532 >/dev/null
  user() { made_pod team-d try "$1" "$2" | kubectl create --dry-run=server -f - -o 'jsonpath={.spec.securityContext.runAsUser}'; }
  set_for_try() { [[ $(user '' '.spec.securityContext = {runAsNonRoot: true}') == 65532 ]]; }
  patiently set_for_try
  # The API server has policies in an order of chance, another one whenever one of them has changed: one in five was the wrong one.
  local turn
  for turn in {1..20}; do
    kubectl annotate --overwrite mutatingadmissionpolicy nonroot-runc-run-as-user "turn=$turn" >/dev/null
    sleep 1.1
    set_for_try || explain "in the order of turn $turn it said nothing"
  done
  pod team-d says-so '' '.spec.securityContext = {runAsNonRoot: true}'
  shows nonroot inside team-d says-so probe
  [[ $(user '' '.spec.containers[0].securityContext = {runAsNonRoot: true}') == 65532 ]] || explain 'expected it for a container, too'
  [[ -z $(user '' .) ]] || explain 'it said nothing'
  [[ $(user '' '.spec.securityContext = {runAsNonRoot: true, runAsUser: 7}') == 7 ]] || explain 'it says who it is'
  kubectl label --overwrite namespace team-d nonroot-runc.io/run-as-user=0 >/dev/null
  root_is_no_user() { [[ -z $(user '' '.spec.securityContext = {runAsNonRoot: true}') ]]; }
  patiently root_is_no_user
  kubectl delete -f "$REPO/deploy/policies/runasuser.yaml" >/dev/null
  kubectl -n team-d delete pod says-so --grace-period=1 >/dev/null
}

@test "an exempt namespace goes without" {
  new_namespace team-c nonroot-runc.io/runtime=nonroot
  kubectl -n nonroot-runc patch configmap nonroot-runc-exempt --type merge -p '{"data": {"namespaces": "kube-system,team-c"}}' >/dev/null
  patiently gets_class team-c ''
  pod team-c exempt
  shows root inside team-c exempt probe
}

@test "a policy is in force on each node within a minute, with its digest; a broken one is refused where it was written" {
  local node good="identity.uid = 70000
$LOG"
  policy "$good"
  for node in "${NODES[@]}"; do patiently in_force_exactly "$node" "$good"; done
  pod team-a by-policy nonroot
  shows 'uid(70000)' inside team-a by-policy probe
  policy $'mode = "of"\n'"$good"
  for node in "${NODES[@]}"; do patiently condition_is "$node" '^True PolicyRefused config.toml:1:1: mode: "of"'; done
  patiently has_event nonroot-runc nonroot-runc-policy '^PolicyRefused config.toml:1:1: mode: "of" is not one of'
  succeeds on node1 wget -qO- http://127.0.0.1:9470/metrics
  contains 'nonroot_node_policy_valid{policy="config.toml"} 0'
  contains 'nonroot_node_policy_refused{column="1",line="1",policy="config.toml"} 1'
  pod team-a still nonroot
  shows 'uid(70000)' inside team-a still probe
  policy "$LOG"
  for node in "${NODES[@]}"; do patiently condition_is "$node" '^True Ready '; done
}
# The agent's own rule stands behind it.
in_force_exactly() {
  local file
  file=$(on "$1" cat /etc/nonroot-runc/config.toml && echo .)
  [[ $file == "$2"*'name = "nonroot-node"'* && $(annotation "$1" policy-sha256) == $(printf %s "${file%.}" | sha256sum | head -c 64) ]]
}

@test "a refusal is told with its reason" {
  policy "mode = \"refuse\"
$LOG"
  patiently in_force_exactly node1 "mode = \"refuse\"
$LOG"
  made_pod team-a refused nonroot '.spec.nodeName = "node1"' | kubectl apply -f - >/dev/null
  patiently has_event team-a refused '^NonRootRefused .* is refused: .*asks for root'
  kubectl -n team-a delete pod refused --grace-period=1 >/dev/null
  policy "$LOG"
  local node
  for node in "${NODES[@]}"; do patiently in_force_exactly "$node" "$LOG"; done
}

@test "another log, and another agent: what is unread of the one before is told, and all of the new one" {
  local other=$'[log]\nfile = "/var/log/another.log"\n'
  pod team-a wordy nonroot '.spec.nodeName = "node1"'
  # More than are told at once, as if the container had been refused so often.
  on node1 sh -c 'for i in $(seq 100); do
    printf "{\"event\":\"create\",\"mode\":\"refuse\",\"namespace\":\"team-a\",\"pod\":\"wordy\",\"container\":\"web\",\"reason\":\"reason %03d\"}\n" "$i"
  done >>/var/log/nonroot-runc.log'
  policy "$other" /var/log/audited.log
  patiently in_force_exactly node1 "$other"
  pod team-a elsewhere nonroot '.spec.nodeName = "node1"'
  kubectl -n nonroot-runc delete pod "$(agent_of node1)" --grace-period=0 --force >/dev/null 2>&1
  patiently has_event team-a elsewhere RunsAsNonRoot
  patiently all_are_told
  pod team-a audited-elsewhere nonroot-audit '.spec.nodeName = "node1"'
  patiently has_event team-a audited-elsewhere WouldRunAsNonRoot
  policy "$LOG"
  local node
  for node in "${NODES[@]}"; do patiently in_force_exactly "$node" "$LOG"; done
  kubectl -n nonroot-runc rollout status daemonset nonroot-node --timeout=120s >/dev/null
  on node1 rm -f /var/log/another.log /var/log/audited.log
}
all_are_told() {
  local n
  n=$(kubectl -n team-a get events -o json | jq '[.items[] | select(.involvedObject.name == "wordy" and .reason == "NonRootRefused") | .message] | unique | length')
  [[ $n == 100 ]] || explain "$n of a hundred are told"
}

@test "an agent that is killed goes on: no restart, no second event" {
  local before after
  before=$(kubectl -n team-a get events -o json | jq '[.items[] | select(.source.component == "nonroot-node")] | length')
  kubectl -n nonroot-runc delete pods -l app.kubernetes.io/component=node --grace-period=0 --force >/dev/null 2>&1
  kubectl -n nonroot-runc rollout status daemonset nonroot-node --timeout=120s >/dev/null
  local node
  for node in "${NODES[@]}"; do
    patiently labelled "$node"
    [[ $(restarts "$node") == 1 ]] || explain "$(restarts "$node") restarts of $node"
  done
  # What is told after it comes after all else.
  pod team-a last nonroot
  patiently has_event team-a last RunsAsNonRoot
  after=$(kubectl -n team-a get events -o json | jq '[.items[] | select(.source.component == "nonroot-node")] | length')
  ((after == before + 1)) || explain "$before events, then $after"
}

@test "what somebody else changes takes the node away, and is mended" {
  local sum
  sum=$(on node1 sha256sum /opt/nonroot-runc/bin/nonroot-runc)
  on node1 sh -c 'echo x >>/opt/nonroot-runc/bin/nonroot-runc'
  patiently same_program "$sum"
  on node1 rm /etc/containerd/conf.d/zz-nonroot.toml
  patiently on node1 test -e /etc/containerd/conf.d/zz-nonroot.toml
  patiently labelled node1
  patiently condition_is node1 '^True Ready '
  pod team-a mended nonroot '.spec.nodeSelector = {"kubernetes.io/hostname": "node1"}'
  shows nonroot inside team-a mended probe
}
same_program() { [[ $(on node1 sha256sum /opt/nonroot-runc/bin/nonroot-runc) == "$1" ]]; }

@test "G4: with its account, an agent writes nothing on another node, and of its own what is the agent's" {
  local token
  token=$(kubectl -n nonroot-runc create token nonroot-node --bound-object-kind Pod --bound-object-name "$(agent_of node1)")
  as() { curl -sS --cacert "$CLUSTER/ca.crt" -H "Authorization: Bearer $token" -H 'Content-Type: application/merge-patch+json' "$@"; }
  patch() { as -X PATCH "https://10.99.0.1/api/v1/nodes/$1" -d "$2"; } # kubectl would ask for the object first
  succeeds patch node2 '{"metadata": {"labels": {"nonroot-runc.io/ready": null}}}'
  contains 'writes on the node that it runs on, and on no other'
  succeeds patch node1 '{"metadata": {"labels": {"node-role.kubernetes.io/control-plane": ""}}}'
  contains "of a node's labels nonroot-node writes nonroot-runc.io/ready"
  succeeds patch node1 '{"metadata": {"labels": {"kubernetes.io/hostname": null}}}'
  contains "of a node's labels nonroot-node writes nonroot-runc.io/ready"
  succeeds patch node1 '{"spec": {"unschedulable": true}}'
  contains 'nothing of its spec'
  local meta
  for meta in '"annotations": {"flannel.alpha.coreos.com/public-ip": "10.99.0.9"}' '"finalizers": ["example.org/kept"]' \
    '"ownerReferences": [{"apiVersion": "v1", "kind": "Pod", "name": "none", "uid": "none"}]'; do
    succeeds patch node1 "{\"metadata\": {$meta}}"
    contains 'writes those of nonroot-runc.io, and no owners or finalizers'
  done
  local state
  for state in '"addresses": [{"type": "InternalIP", "address": "10.99.0.9"}]' '"conditions": []' '"capacity": {"cpu": "1000"}'; do
    succeeds patch node1/status "{\"status\": {$state}}"
    contains 'writes the condition NonRootRunc'
  done
  succeeds as https://10.99.0.1/api/v1/secrets
  contains 'cannot list resource'
  succeeds patch node1 '{"metadata": {"annotations": {"nonroot-runc.io/tried": "1"}}}'
  contains '"nonroot-runc.io/tried": "1"'
}

@test "in a quiet minute the agents ask the API server for nothing, beyond their watches" {
  local asked
  asked() { wc -l <"$CLUSTER/audit.log"; }
  # The watches that a minute may end are begun anew.
  others() { tail -n "+$((asked + 1))" "$CLUSTER/audit.log" | jq -c 'select(.verb != "watch") | [.user.extra["authentication.kubernetes.io/node-name"][0], .verb, .requestURI]'; }
  settled() { asked=$(asked) && sleep 5 && [[ -z $(others) ]]; }
  patiently settled
  asked=$(asked)
  ((asked > 0)) || explain 'the audit log has no request of the agents'
  sleep 60
  [[ -z $(others) ]] || explain "$(others)"
}

@test "kubectl nonroot: a pod and its namespace, by what the API server says" {
  pod team-a asked nonroot '.spec.nodeName = "node1"'
  patiently has_event team-a asked RunsAsNonRoot
  succeeds kubectl nonroot explain -n team-a asked
  [[ $OUT == 'team-a/asked: it asked for root, and no process in it is root'$'\n'* ]] || explain 'expected the answer first'
  contains 'container web asked for 0:0 (the image'
  contains 'RunsAsNonRoot: container "web" asked for root and runs as 65532:65532'
  contains 'RuntimeClass nonroot: enforced'
  contains 'node node1: ready: Ready'
  contains "policy sha256 $(annotation node1 policy-sha256)"
  succeeds kubectl nonroot explain --json -n team-a earlier
  jq -e '.governed == "not governed"' <<<"$OUT" >/dev/null || explain 'expected that it is not'
  succeeds kubectl nonroot report -n team-a
  [[ $OUT =~ team-a\ +pod/asked\ +1\ +enforced\ +RunsAsNonRoot\ 1 ]] || explain 'expected the pod'
  [[ $OUT =~ team-a\ +pod/earlier\ +1\ +not\ governed ]] || explain 'expected the other one'
  succeeds kubectl nonroot report -A --json
  jq -e '[.workloads[] | .namespace] | index("team-a") and index("nonroot-runc")' <<<"$OUT" >/dev/null || explain 'expected all namespaces'
  fails_with 1 kubectl nonroot explain -n team-a nobody
  [[ $ERR == *'pods "nobody" not found'* ]] || explain 'expected the name'
}

@test "metrics and probes" {
  succeeds on node1 wget -qO- http://127.0.0.1:9470/metrics
  contains 'nonroot_node_ready 1'
  contains 'nonroot_node_self_test_passed 1'
  contains 'nonroot_node_decisions_total{event="create",mode="rewrite",namespace="team-a"'
  contains 'nonroot_node_policy_valid{policy="config.toml"} 1'
  [[ $OUT != *'nonroot_node_policy_refused{'* ]] || explain 'no policy is refused any more'
  succeeds on node1 wget -qO- http://127.0.0.1:9470/readyz
}

@test "G7: a node whose default is the handler: the agent's own container is exempt, and no other one of its namespace" {
  on node2 nonroot-ctl configure containerd --set-default --binary /opt/nonroot-runc/bin/nonroot-runc >/dev/null
  restart_node_containerd node2
  pod team-a by-default '' '.spec.nodeName = "node2"'
  shows nonroot inside team-a by-default probe
  # The agent comes back, and keeps the node.
  another_agent node2
  patiently condition_is node2 '^True Ready '
  # Nodes share the machine's processes.
  succeeds sh -c 'for p in $(pidof nonroot-node); do if grep -q /node2/ "/proc/$p/cgroup"; then cat "/proc/$p/status"; fi; done'
  [[ $OUT == *$'\nUid:\t0\t0\t0\t0\n'* ]] || explain 'expected the agent'
  # Neither a container beside it nor another pod of the namespace is.
  pod nonroot-runc nonroot-node-copy '' '.spec.nodeName = "node2" | .spec.containers[0].securityContext = {privileged: true}'
  shows nonroot inside nonroot-runc nonroot-node-copy probe
  pod nonroot-runc other '' '.spec.nodeName = "node2" | .spec.containers[0].name = "node"'
  shows nonroot inside nonroot-runc other probe
  kubectl -n nonroot-runc delete pod nonroot-node-copy other --grace-period=1 >/dev/null
  kubectl -n team-a delete pod by-default --grace-period=1 >/dev/null
  on node2 nonroot-ctl configure containerd --uninstall --keep-name >/dev/null
  restart_node_containerd node2
  another_agent node2 # this one needs the handler
  patiently labelled node2
}
# another_agent NODE waits for the pod itself: the DaemonSet's status may be of before.
another_agent() {
  local before
  before=$(agent_of "$1")
  kubectl -n nonroot-runc delete pod "$before" --grace-period=1 >/dev/null
  patiently is_another "$1" "$before"
  runs nonroot-runc "$(agent_of "$1")"
}
is_another() {
  local now
  now=$(agent_of "$1") && [[ -n $now && $now != "$2" ]]
}

@test "taken back: it waits for the pods, then each node is byte for byte what it was" {
  local node
  kubectl -n team-b delete deployment,pod --all --grace-period=1 >/dev/null
  put -remove=true
  for node in "${NODES[@]}"; do patiently unlabelled "$node"; done
  patiently condition_is node1 'False Waiting waiting: pods still need the handlers \([0-9]+\): team-a/'
  kubectl -n team-a delete pod --all --grace-period=1 >/dev/null
  for node in "${NODES[@]}"; do patiently gone_from "$node"; done
  patiently no_condition node1
  for node in "${NODES[@]}"; do diff "$CLUSTER/$node.before" <(files "$node") >&2 || explain "left on $node"; done
}
gone_from() { on "$1" test ! -e /opt/nonroot-runc && diff "$CLUSTER/$1.before" <(files "$1"); }
no_condition() { [[ -z $(condition "$1") ]]; }

@test "a daemon that does not come back with the handlers: everything is put back, and no other node follows" {
  local node failed
  for node in "${NODES[@]}"; do on "$node" sh -c 'echo nonroot-runc >/run/refuse; rm -f /run/restarts'; done
  put
  patiently one_failed
  failed=$(failed_nodes)
  ! on "$failed" grep -rq nonroot /etc/containerd || explain 'the configuration has the handlers'
  [[ $(restarts "$failed") == 2 ]] || explain "$(restarts "$failed") restarts of $failed"
  ! labelled "$failed" || explain 'the node is ready for the handlers'
  patiently ready "$failed"
  patiently has_event default "$failed" '^NonRootRolledBack containerd did not come back with the handlers'
  # Its agent is not ready, so that Kubernetes rolls out no other one.
  for node in "${NODES[@]}"; do [[ $node == "$failed" || $(restarts "$node") == 0 ]] || explain "$node was restarted"; done
}
failed_nodes() {
  local node
  for node in "${NODES[@]}"; do condition_is "$node" 'False Failed .*its configuration was put back' && echo "$node"; done || true
}
one_failed() { [[ -n $(failed_nodes) ]]; }

@test "G8: who labels a node that has no handlers: the agent takes the label away, and without one no pod starts there" {
  local failed
  failed=$(failed_nodes)
  kubectl label node "$failed" nonroot-runc.io/ready=true >/dev/null
  patiently unlabelled "$failed"
  kubectl -n nonroot-runc delete daemonset nonroot-node --grace-period=1 >/dev/null
  patiently no_agents
  kubectl label node "$failed" nonroot-runc.io/ready=true >/dev/null
  made_pod team-a lured nonroot ".spec.nodeSelector = {\"kubernetes.io/hostname\": \"$failed\"}" | kubectl apply -f - >/dev/null
  patiently has_event team-a lured 'FailedCreatePodSandBox.*nonroot'
  [[ $(kubectl -n team-a get pod lured -o 'jsonpath={.status.phase}') == Pending ]] || explain 'it runs'
}
no_agents() { [[ -z $(kubectl -n nonroot-runc get pods -o name) ]]; }
