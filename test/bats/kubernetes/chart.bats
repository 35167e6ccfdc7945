#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The chart and what kustomize has of it, by helm and by the API server itself.

load kubernetes

setup_file() { new_namespace chart; }
teardown_file() { no_namespace chart; }

chart() { helm template nonroot-runc "$REPO/deploy/helm/nonroot-runc" --namespace chart "$@"; }

@test "deploy/kubernetes is what the chart makes of its defaults" {
  mkdir "$BATS_TEST_TMPDIR/made"
  "$REPO/hack/manifests" "$BATS_TEST_TMPDIR/made"
  local file
  for file in "$BATS_TEST_TMPDIR"/made/*.yaml; do
    diff "$REPO/deploy/kubernetes/${file##*/}" "$file" >&2 || explain 'run hack/manifests'
    grep -qF -- "- ${file##*/}" "$REPO/deploy/kubernetes/kustomization.yaml" || explain "kustomization.yaml leaves out ${file##*/}"
  done
  # The other way round there is what the namespace needs, and no more.
  [[ $(find "$REPO/deploy/kubernetes" -name '*.yaml' | wc -l) == $(($(find "$BATS_TEST_TMPDIR/made" -name '*.yaml' | wc -l) + 2)) ]] || explain 'a file that no template makes'
}

# docs/kubernetes.md, for clusters before Kubernetes 1.36.
@test "kustomize leaves the policies for namespaces out, and no others" {
  local overlay=$BATS_TEST_TMPDIR/overlay
  mkdir "$overlay"
  printf 'resources: [%s]\n' "$(realpath --relative-to="$overlay" "$REPO/deploy/kubernetes")" >"$overlay/kustomization.yaml"
  awk -v RS= '/\(Mutating\|Validating\)AdmissionPolicy/' "$REPO/docs/kubernetes.md" | sed 's/^    //' >>"$overlay/kustomization.yaml"
  kubectl kustomize "$overlay" >"$BATS_TEST_TMPDIR/less.yaml"
  kubectl kustomize "$REPO/deploy/kubernetes" >"$BATS_TEST_TMPDIR/all.yaml"
  # The policy and the binding of each of the two.
  [[ $(grep -c '^kind: .*AdmissionPolicy' "$BATS_TEST_TMPDIR/all.yaml") == $(($(grep -c '^kind: .*AdmissionPolicy' "$BATS_TEST_TMPDIR/less.yaml") + 4)) ]] || explain 'expected four objects less'
  fails_with 1 grep -E '^kind: Mutating|params.data' "$BATS_TEST_TMPDIR/less.yaml"
}

@test "nonroot-ctl check passes both: the agent alone is root, and says why" {
  succeeds "$REPO/bin/nonroot-ctl" check "$REPO/deploy/kubernetes"
  [[ $OUT == *'it writes the programs'*'[pod-runs-as-root]'* ]] || explain 'expected the reason'
  chart >"$BATS_TEST_TMPDIR/all.yaml"
  succeeds "$REPO/bin/nonroot-ctl" check "$BATS_TEST_TMPDIR/all.yaml"
  contains 'the CRI daemon'
}

@test "helm lint, and values that nobody knows" {
  succeeds helm lint --strict "$REPO/deploy/helm/nonroot-runc"
  local value
  for value in node.engine=docker restart.nodes=0 restart.nodes=0% restart.nodes=101% restart.nodes=1.5% restart.nodes=half image.digest=latest admission.enable=false node.address=9470 restart.limit=soon \
    'admission.exempt.serviceAccounts[0]=system'; do
    fails_with 1 chart --set "$value"
    [[ $ERR == *"at '/"* ]] || explain "expected the value $value to be named"
  done
}

@test "the API server takes each object, whatever is set, and its types fit" {
  local set
  for set in '' restart.nodes=3 restart.nodes=10% 'restart.command=rc-service containerd restart,node.config=/etc/k3s/config.toml,node.engine=crio' \
    'admission.exempt.serviceAccounts[0]=ci:builder,runtimeClasses.tolerations[0].operator=Exists,node.nodeSelector.pool=a' \
    admission.enabled=false; do
    chart --set "$set" >"$BATS_TEST_TMPDIR/all.yaml"
    succeeds kubectl create --dry-run=server --validate=strict -f "$BATS_TEST_TMPDIR/all.yaml"
    lacks Warning
    [[ $ERR == '' ]] || explain 'expected no warning'
  done
  # An expression that does not fit the types of what it is asked about is told of in the status.
  chart | kubectl create -f - >/dev/null
  patiently types_are_known
  succeeds kubectl get validatingadmissionpolicy nonroot-runc nonroot-runc-agent nonroot-runc-classes -o 'jsonpath={.items[*].status.typeChecking.expressionWarnings}'
  [[ $OUT == '' ]] || explain 'expected no warning'
  chart | kubectl delete -f - >/dev/null
}
types_are_known() { [[ $(kubectl get validatingadmissionpolicy nonroot-runc nonroot-runc-agent nonroot-runc-classes -o 'jsonpath={range .items[*]}{.status.observedGeneration} {end}') == '1 1 1 ' ]]; }
