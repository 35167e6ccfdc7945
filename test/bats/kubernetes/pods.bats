#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Kinds of pods and what is done with them, under a handler that is registered by hand on one node.

load kubernetes

HERE='.spec.nodeName = "node2"'

setup_file() {
  on node2 install -m 755 "$REPO"/bin/nonroot-{runc,ctl} /usr/local/sbin/
  on node2 nonroot-ctl configure containerd
  on node2 mkdir -p /etc/nonroot-runc
  printf '[log]\nfile = "/var/log/nonroot-runc.log"\n' | on node2 tee /etc/nonroot-runc/config.toml >/dev/null
  restart_node_containerd node2
  patiently handler_is_there
  class nonroot
  new_namespace pods
  kubectl -n pods create secret generic closed --from-literal=word=sesame >/dev/null
  kubectl -n pods create configmap open --from-literal=word=hello >/dev/null
}
handler_is_there() { kubectl get node node2 -o 'jsonpath={.status.runtimeHandlers[*].name}' | grep -qw nonroot; }

teardown_file() {
  on node2 rm -f /etc/static-pods/static.yaml
  no_namespace pods
  kubectl delete runtimeclass nonroot >/dev/null
  on node2 nonroot-ctl configure containerd --uninstall
  restart_node_containerd node2
  on node2 rm -rf /usr/local/sbin/nonroot-{runc,ctl} /etc/nonroot-runc /var/lib/nonroot-runc
}

# a NAME [FILTER] makes a pod of the handler, and into NAME COMMAND... runs something in it.
a() { pod pods "$1" nonroot "$HERE | ${2:-.}"; }
into() { inside pods "$@"; }

CONTAINER='.spec.containers[0]'

@test "Job and CronJob" {
  local template
  template=$(made_pod pods x nonroot "$HERE"' | .spec.restartPolicy = "Never" | .spec.containers[0].command = ["sh", "-c", "id -u"]' | jq -c .spec)
  jq -n --argjson s "$template" '{apiVersion: "batch/v1", kind: "Job", metadata: {name: "once", namespace: "pods"}, spec: {template: {spec: $s}}}' | kubectl apply -f - >/dev/null
  jq -n --argjson s "$template" '{apiVersion: "batch/v1", kind: "CronJob", metadata: {name: "often", namespace: "pods"},
    spec: {schedule: "0 0 1 1 *", jobTemplate: {spec: {template: {spec: $s}}}}}' | kubectl apply -f - >/dev/null
  kubectl -n pods create job --from=cronjob/often now >/dev/null
  local job
  for job in once now; do
    kubectl -n pods wait --for=condition=Complete --timeout=300s "job/$job" >/dev/null
    succeeds kubectl -n pods logs "job/$job"
    [[ $OUT == 65532 ]] || explain 'expected the identity'
  done
}

@test "init container, native sidecar and container share an emptyDir, and its files" {
  a shared '.spec.volumes = [{name: "v", emptyDir: {}}, {name: "m", emptyDir: {medium: "Memory"}}]
    | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}, {name: "m", mountPath: "/m"}]
    | .spec.initContainers = [(.spec.containers[0] | .name = "init" | .command = ["sh", "-c", "umask 077; echo init >/v/init; echo init >/m/init"]),
      (.spec.containers[0] | .name = "sidecar" | .restartPolicy = "Always" | .command = ["sh", "-c", "umask 077; echo side >/v/side; exec sleep 3600"])]'
  succeeds into shared sh -c 'cat /v/init /m/init /v/side'
  [[ $OUT == $'init\ninit\nside' ]] || explain 'expected the files of the others'
}

@test "StatefulSet: a pod that is made again has its files on a hostPath of the identity's" {
  on node2 install -d -o 65532 -g 65532 /var/lib/set
  made_pod pods x nonroot "$HERE"' | .spec.volumes = [{name: "v", hostPath: {path: "/var/lib/set"}}] | .spec.containers[0].volumeMounts = [{name: "v", mountPath: "/v"}]' |
    jq '{apiVersion: "apps/v1", kind: "StatefulSet", metadata: {name: "set", namespace: "pods"}, spec: {serviceName: "s", replicas: 1, selector: {matchLabels: {a: "set"}},
      template: {metadata: {labels: {a: "set"}}, spec: .spec}}}' | kubectl apply -f - >/dev/null
  kubectl -n pods rollout status statefulset set --timeout=300s >/dev/null
  succeeds into set-0 sh -c 'echo kept >/v/file'
  kubectl -n pods delete pod set-0 --grace-period=1 >/dev/null
  patiently runs pods set-0
  succeeds into set-0 sh -c 'echo more >>/v/file && cat /v/file'
  [[ $OUT == $'kept\nmore' ]] || explain 'expected the file'
}

@test "D1: kubectl debug, each profile: who the target is, without capabilities" {
  a target
  local profile
  for profile in general baseline restricted netadmin sysadmin; do
    kubectl -n pods debug target --image=docker.io/library/bb:latest --image-pull-policy=Never --profile="$profile" --target=web -c "debug-$profile" -- probe pause >/dev/null 2>&1 || true
    if [[ $profile == restricted ]]; then
      # The kubelet refuses a root image before any runtime is called.
      patiently debugger_waits "$profile"
      continue
    fi
    patiently debugger_runs "$profile"
    shows nonroot kubectl -n pods exec target -c "debug-$profile" -- probe
  done
}
debugger() { kubectl -n pods get pod target -o json | jq -r --arg n "debug-$1" ".status.ephemeralContainerStatuses[]? | select(.name == \$n) | .state | $2"; }
debugger_runs() { [[ $(debugger "$1" '.running != null') == true ]]; }
debugger_waits() { [[ $(debugger "$1" '.waiting.message // ""') == *runAsNonRoot* ]]; }

@test "attach, cp, port-forward, lifecycle hooks" {
  a served '.spec.containers[0] |= (.stdin = true | .command = ["sh", "-c", "mkdir -p /tmp/w; httpd -p 8080 -h /tmp/w; while read -r line; do echo got $line >>/tmp/w/got; echo got $line; done; sleep 3600"]
    | .lifecycle = {postStart: {exec: {command: ["sh", "-c", "id -u >/tmp/hook"]}}})'
  echo word | kubectl -n pods attach -i served -c web >/dev/null 2>&1 3>&- &
  patiently got_word
  succeeds into served cat /tmp/hook
  [[ $OUT == 65532 ]] || explain 'expected the identity in the hook'
  echo page >"$BATS_TEST_TMPDIR/page"
  kubectl -n pods cp "$BATS_TEST_TMPDIR/page" served:/tmp/w/page 2>/dev/null
  daemon forward kubectl -n pods port-forward pod/served 18080:8080
  patiently forwarded
  end_daemon forward
}
got_word() { [[ $(into served cat /tmp/w/got) == 'got word' ]]; }
forwarded() { [[ $(wget -qO- http://127.0.0.1:18080/page) == page ]]; }

@test "A3: fsGroup and supplementalGroups, merged and strict" {
  local strategy
  for strategy in Merge Strict; do
    a "groups-${strategy,,}" ".spec.securityContext = {fsGroup: 2000, supplementalGroups: [6, 3000], supplementalGroupsPolicy: \"$strategy\"}
      | .spec.volumes = [{name: \"s\", secret: {secretName: \"closed\", defaultMode: 256}}] | $CONTAINER.volumeMounts = [{name: \"s\", mountPath: \"/s\"}]"
    shows 'uid(65532) and powerless and .Groups == [2000, 3000]' into "groups-${strategy,,}" probe
    # The kubelet makes 0400 of a volume with fsGroup readable to the group.
    succeeds into "groups-${strategy,,}" cat /s/word
    [[ $OUT == sesame ]] || explain 'expected the secret'
  done
}

@test "a secret of mode 0400 without fsGroup is closed; a configMap is open" {
  a closed '.spec.volumes = [{name: "s", secret: {secretName: "closed", defaultMode: 256}}, {name: "c", configMap: {name: "open"}}]
    | .spec.containers[0].volumeMounts = [{name: "s", mountPath: "/s"}, {name: "c", mountPath: "/c"}]'
  succeeds into closed cat /c/word
  [[ $OUT == hello ]] || explain 'expected the word'
  fails_with 1 into closed cat /s/word
  # The node's agent makes an event of it.
  succeeds on node2 jq -r 'select(.namespace == "pods" and .pod == "closed").notes // [] | .[]' /var/log/nonroot-runc.log
  contains '"word" in "/s", which the kubelet writes, is closed to the identity'
  contains "fsGroup in the pod's securityContext, or a defaultMode"
}

@test "a service account's token is readable, unless each container says runAsUser: 0" {
  a token '.spec.automountServiceAccountToken = true'
  succeeds into token sh -c 'test -s /var/run/secrets/kubernetes.io/serviceaccount/token'
  a token-of-root '.spec.automountServiceAccountToken = true | .spec.containers[0].securityContext = {runAsUser: 0}'
  shows nonroot into token-of-root probe
}

@test "hostUsers: false" {
  a mapped '.spec.hostUsers = false'
  shows nonroot into mapped probe
}

@test "hostPID, hostNetwork, privileged, runAsUser 0: nobody's root" {
  a host '.spec |= (.hostPID = true | .hostNetwork = true) | .spec.containers[0].securityContext = {privileged: true, runAsUser: 0, runAsGroup: 0}'
  shows nonroot into host probe
}

@test "runAsNonRoot with a root image: the kubelet refuses before us; with runAsUser it runs" {
  made_pod pods refused nonroot "$HERE"' | .spec.securityContext = {runAsNonRoot: true}' | kubectl apply -f - >/dev/null
  patiently has_event pods refused 'container has runAsNonRoot and image will run as root'
  a asked '.spec.securityContext = {runAsNonRoot: true, runAsUser: 1000, runAsGroup: 1000}'
  shows 'nonroot(1000; 1000)' into asked probe
}

@test "readOnlyRootFilesystem, image volumes, subPath" {
  a closed-root '.spec.volumes = [{name: "i", image: {reference: "docker.io/library/bb:latest", pullPolicy: "Never"}}, {name: "e", emptyDir: {}}]
    | .spec.containers[0] |= (.securityContext = {readOnlyRootFilesystem: true}
      | .volumeMounts = [{name: "i", mountPath: "/srv", readOnly: true}, {name: "e", mountPath: "/mnt", subPath: "a/b"}])'
  shows nonroot into closed-root probe
  succeeds into closed-root /srv/bin/busybox true
  fails_with 1 into closed-root touch /file
}

@test "in-place resize" {
  a resized '.spec.containers[0].resources = {requests: {cpu: "10m", memory: "32Mi"}, limits: {cpu: "100m", memory: "64Mi"}}'
  kubectl -n pods patch pod resized --subresource resize -p '{"spec": {"containers": [{"name": "web", "resources": {"limits": {"cpu": "200m"}}}]}}' >/dev/null
  patiently is_resized
  shows nonroot into resized probe
  [[ $(kubectl -n pods get pod resized -o 'jsonpath={.status.containerStatuses[0].restartCount}') == 0 ]] || explain 'it was made again'
}
is_resized() { [[ $(kubectl -n pods get pod resized -o 'jsonpath={.status.containerStatuses[0].resources.limits.cpu}') == 200m ]]; }

@test "a static pod names the class, too" {
  made_pod pods static nonroot 'del(.spec.nodeName)' | on node2 tee /etc/static-pods/static.yaml >/dev/null
  patiently runs pods static-node2
  shows nonroot into static-node2 probe
}

@test "twenty policies in a row: each pod has the one of its moment" {
  local uid
  for uid in {71001..71020}; do
    printf 'identity.uid = %s\n[log]\nfile = "/var/log/nonroot-runc.log"\n' "$uid" >"$BATS_TEST_TMPDIR/policy"
    on node2 nonroot-ctl policy apply "$BATS_TEST_TMPDIR/policy" >/dev/null
  done
  a last
  shows 'uid(71020)' into last probe
  on node2 nonroot-ctl policy apply --rollback >/dev/null
  a before-last
  shows 'uid(71019)' into before-last probe
}

@test "a node's reboot: everything is killed, and started again" {
  kubectl -n pods delete job,cronjob,statefulset,pod --all --grace-period=1 >/dev/null 2>&1
  a survives
  local pid
  end_daemon node2.kubelet KILL # its port is the next one's
  for pid in $(on node2 sh -c 'grep -h . /run/containerd/io.containerd.runtime.v2.task/k8s.io/*/init.pid'); do kill -KILL "$pid" 2>/dev/null || true; done
  kill -KILL "$(<"$CLUSTER/node2/run/supervised.pid")"
  patiently on node2 ctr version
  start_kubelet node2
  patiently came_again || {
    kubectl -n pods describe pod survives >&2
    tail -n 20 "$CLUSTER/node2.kubelet.log" >&2
    return 1
  }
  shows powerless into survives probe
}
came_again() {
  [[ $(kubectl -n pods get pod survives -o 'jsonpath={.status.containerStatuses[0].restartCount}') -ge 1 ]] && ready node2 &&
    [[ $(kubectl -n pods get pod survives -o 'jsonpath={.status.containerStatuses[0].ready}') == true ]]
}
