#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# A node with NVIDIA's container runtime, the real one (hack/build-engines), in CDI mode, and a device of a made-up specification.

load kubernetes

# An exec is put together by containerd, which knows nothing of what NVIDIA adds: so the first process says what it is.
SAYS='.spec.nodeName = "node1" | .spec.containers[0].command = ["sh", "-c", "probe; echo x >/dev/nvidia0 && stat -c \"$GPU %t:%T\" /dev/nvidia0; exec probe pause"]'
HERE="$SAYS"' | .spec.containers[0].env = [{name: "NVIDIA_VISIBLE_DEVICES", value: "nvidia.com/gpu=0"}]'

setup_file() {
  on node1 install -m 755 "$REPO/.cache/nvidia/nvidia-container-runtime" /usr/local/bin/
  on node1 install -m 755 "$REPO"/bin/nonroot-{runc,ctl} /usr/local/sbin/
  on node1 mkdir -p /etc/cdi /etc/nvidia-container-runtime
  on node1 tee /etc/cdi/nvidia.yaml >/dev/null <"$REPO/test/bats/made-up-gpu.yaml"
  # As nvidia-ctk runtime configure writes it.
  on node1 tee /etc/containerd/conf.d/99-nvidia.toml >/dev/null <<'TOML'
version = 4
[plugins."io.containerd.cri.v1.runtime".containerd.runtimes.nvidia]
  runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.nvidia.options]
    BinaryName = "/usr/local/bin/nvidia-container-runtime"
TOML
  on node1 nonroot-ctl configure containerd
  restart_node_containerd node1
  patiently handlers_are_there
  class nvidia
  class nonroot
  new_namespace gpu
}
handlers_are_there() {
  local all
  all=$(kubectl get node node1 -o 'jsonpath={.status.runtimeHandlers[*].name}')
  grep -qw nonroot <<<"$all" && grep -qw nvidia <<<"$all"
}

teardown_file() {
  no_namespace gpu
  kubectl delete runtimeclass nvidia nonroot >/dev/null
  on node1 nonroot-ctl configure containerd --uninstall
  on node1 rm -rf /etc/containerd/conf.d/99-nvidia.toml /etc/cdi /etc/nvidia-container-runtime /etc/nonroot-runc /usr/local/sbin/nonroot-{runc,ctl} /usr/local/bin/nvidia-container-runtime
  restart_node_containerd node1
}

# nvidia_goes_on_to RUNTIME writes NVIDIA's configuration.
nvidia_goes_on_to() { printf '[nvidia-container-runtime]\nmode = "cdi"\nruntimes = ["%s"]\n' "$1" | on node1 tee /etc/nvidia-container-runtime/config.toml >/dev/null; }

# first POD prints what the probe in its first process has said, device POD what it has seen of the device. A pod is ready before that.
first() { patiently said "$1" 1 && kubectl -n gpu logs "$1" | sed -n 1p; }
device() { patiently said "$1" 2 && kubectl -n gpu logs "$1" | sed -n 2p; }
said() { [[ $(kubectl -n gpu logs "$1" | wc -l) -ge $2 ]]; }

@test "kubelet, containerd, NVIDIA, runc: the device comes, with its group, and root" {
  nvidia_goes_on_to runc
  pod gpu bare nvidia "$HERE"
  shows 'root and any(.Groups[]; . == 44)' first bare
  [[ $(device bare) == 'zero 1:3' ]] || explain "$(kubectl -n gpu logs bare)"
}

@test "kubelet, containerd, NVIDIA, nonroot-runc, runc: the device comes, the group does not, nobody is root" {
  nvidia_goes_on_to /usr/local/sbin/nonroot-runc
  pod gpu governed nvidia "$HERE"
  shows nonroot first governed
  [[ $(device governed) == 'zero 1:3' ]] || explain "$(kubectl -n gpu logs governed)"
  shows nonroot inside gpu governed probe
  # What needs no GPU comes the same way, and so does who asks for everything.
  pod gpu without nvidia '.spec.nodeName = "node1"'
  shows nonroot inside gpu without probe
  pod gpu privileged nvidia "$HERE"' | .spec.containers[0].securityContext = {privileged: true, runAsUser: 0}'
  shows nonroot first privileged
  shows nonroot inside gpu privileged probe
}

@test "the other order is refused before it runs, with the one that works" {
  on node1 mkdir -p /etc/nonroot-runc
  on node1 tee /etc/nonroot-runc/config.toml >/dev/null <<<'runtimes = ["/usr/local/bin/nvidia-container-runtime"]'
  nvidia_goes_on_to runc
  made_pod gpu wrong nonroot "$HERE" | kubectl apply -f - >/dev/null
  patiently has_event gpu wrong 'rewrites config.json for each container.*let the engine call the wrapper.*runtimes = \[\\?"/usr/local/sbin/nonroot-runc'
  [[ -z $(kubectl -n gpu get pod wrong -o 'jsonpath={.status.containerStatuses[0].state.running}') ]] || explain 'it runs'
  kubectl -n gpu delete pod wrong --grace-period=1 >/dev/null
  on node1 rm -r /etc/nonroot-runc
}
