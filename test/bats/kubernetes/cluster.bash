# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# A cluster of two nodes on one machine. The control plane runs in the room's own namespaces. A node is a mount and a network
# namespace with /etc, /opt, /run, /var/lib and /var/log of its own, in which a containerd and a kubelet take it for a
# machine; its address is on a bridge to the control plane. The Service of the API has an address on that machine's lo, so that
# pods reach it without kube-proxy.

REPO=$(cd "${BASH_SOURCE[0]%/*}/../../.." && pwd)
CLUSTER=$NONROOT_ENGINES_WORK/cluster
PATH=$REPO/.cache/kubernetes:$REPO/bin:$PATH
export KUBECONFIG=$CLUSTER/admin.conf
NODES=(node1 node2)

# patiently COMMAND... waits until it succeeds, five minutes at most: machines are busy.
patiently() {
  local end=$((SECONDS + 300))
  while ((SECONDS < end)); do
    "$@" >/dev/null 2>&1 && return
    sleep 0.1
  done
  printf 'gave up waiting for: %s\n' "$*" >&2
  "$@" >&2
}

# daemon NAME COMMAND... starts one; its output is in $CLUSTER/NAME.log.
daemon() {
  local name=$1
  shift
  # bats waits for whoever holds its descriptors.
  "$@" >>"$CLUSTER/$name.log" 2>&1 </dev/null 3>&- 4>&- &
  echo $! >"$CLUSTER/$name.pid"
}

# end_daemon NAME [SIGNAL] waits for all of its threads: the first one may be a zombie before the others let go of their sockets.
end_daemon() {
  local pid
  pid=$(<"$CLUSTER/$1.pid")
  kill -"${2:-TERM}" "$pid" 2>/dev/null || return 0
  until has_ended "$pid"; do sleep 0.05; done
}
has_ended() {
  local tasks=("/proc/$1/task"/*)
  [[ ! -e /proc/$1 ]] || ((${#tasks[@]} == 1)) && [[ $(awk '/^State/ { print $2 }' "/proc/$1/status" 2>/dev/null) == [ZX]* || ! -e /proc/$1 ]]
}

# on NODE COMMAND... runs it there. become_on is for daemons: the process becomes the command, so that its number is the daemon's.
on() { (become_on "$@"); }
become_on() {
  local node=$1
  shift
  exec nsenter --target "$(<"$CLUSTER/$node.holder.pid")" --mount --net --wdns="$PWD" "$@"
}

certificates() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=cluster \
    -keyout "$CLUSTER/ca.key" -out "$CLUSTER/ca.crt"
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=kube-apiserver -keyout "$CLUSTER/api.key" -out "$CLUSTER/api.csr"
  openssl x509 -req -days 2 -in "$CLUSTER/api.csr" -CA "$CLUSTER/ca.crt" -CAkey "$CLUSTER/ca.key" -CAcreateserial -out "$CLUSTER/api.crt" \
    -extfile <(printf 'subjectAltName = IP:10.99.0.1, IP:10.96.0.1, IP:127.0.0.1, DNS:kubernetes.default.svc')
  openssl genrsa -out "$CLUSTER/accounts.key" 2048
}

# kubeconfig NAME TOKEN writes $CLUSTER/NAME.conf.
kubeconfig() {
  cat >"$CLUSTER/$1.conf" <<YAML
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "https://10.99.0.1:443", certificate-authority: $CLUSTER/ca.crt}}]
users: [{name: u, user: {token: $2}}]
contexts: [{name: c, context: {cluster: c, user: u}}]
current-context: c
YAML
}

start_etcd() { daemon etcd etcd --data-dir "$CLUSTER/etcd" --unsafe-no-fsync --log-level error; }

# What the agents ask the API server, and when, with microseconds.
start_api() {
  cat >"$CLUSTER/audit.yaml" <<'YAML'
apiVersion: audit.k8s.io/v1
kind: Policy
omitStages: [RequestReceived, ResponseStarted]
rules: [{level: Metadata, users: ["system:serviceaccount:nonroot-runc:nonroot-node"]}, {level: None}]
YAML
  daemon kube-apiserver kube-apiserver --etcd-servers=http://127.0.0.1:2379 --secure-port=443 --bind-address=0.0.0.0 \
    --advertise-address=10.99.0.1 --tls-cert-file="$CLUSTER/api.crt" --tls-private-key-file="$CLUSTER/api.key" \
    --service-cluster-ip-range=10.96.0.0/24 --service-account-key-file="$CLUSTER/accounts.key" \
    --service-account-signing-key-file="$CLUSTER/accounts.key" --service-account-issuer=https://kubernetes.default.svc \
    --token-auth-file="$CLUSTER/tokens" --authorization-mode=Node,RBAC --enable-admission-plugins=NodeRestriction \
    --kubelet-preferred-address-types=InternalIP --allow-privileged=true --cert-dir="$CLUSTER/generated" \
    --audit-policy-file="$CLUSTER/audit.yaml" --audit-log-path="$CLUSTER/audit.log"
}

start_control_plane() {
  local node
  ip link add cluster type bridge
  ip addr add 10.99.0.1/24 dev cluster
  ip link set cluster up
  ip addr add 10.96.0.1/32 dev lo
  certificates 2>"$CLUSTER/openssl.log"
  {
    echo 'admin,admin,1,"system:masters"'
    for node in "${NODES[@]}"; do echo "$node,system:node:$node,$node,\"system:nodes\""; done
  } >"$CLUSTER/tokens"
  kubeconfig admin admin
  for node in "${NODES[@]}"; do kubeconfig "$node" "$node"; done
  start_etcd
  start_api
  patiently kubectl get --raw /readyz
  daemon kube-controller-manager kube-controller-manager --kubeconfig="$CLUSTER/admin.conf" --leader-elect=false \
    --service-account-private-key-file="$CLUSTER/accounts.key" --root-ca-file="$CLUSTER/ca.crt"
  daemon kube-scheduler kube-scheduler --kubeconfig="$CLUSTER/admin.conf" --leader-elect=false
}

# make_node NAME NUMBER makes the namespaces of a node, which a process of its own holds.
make_node() {
  local node=$1 number=$2 dir=$CLUSTER/$1 group
  mkdir -p "$dir"
  daemon "$node.holder" unshare --mount --propagation private --net bash "$REPO/test/bats/kubernetes/hold-node" "$dir"
  patiently test -e "$dir/ready"
  # In the control plane's network namespace, too, so that both ends are made here.
  ip link add "$node" type veth peer name eth0 netns "$(<"$CLUSTER/$node.holder.pid")"
  ip link set "$node" master cluster up
  on "$node" ip addr add "10.99.0.1$number/24" dev eth0
  on "$node" ip link set eth0 up
  on "$node" ip link set lo up
  on "$node" ip route add default via 10.99.0.1
  # The kubelet makes no root of its control groups itself.
  for group in /sys/fs/cgroup /sys/fs/cgroup/*; do
    [[ ! -e $group/cgroup.procs ]] || mkdir -p "$group/$node"
    [[ ! -e $group/$node/cpuset.cpus ]] || {
      cat "$group/cpuset.cpus" >"$group/$node/cpuset.cpus"
      cat "$group/cpuset.mems" >"$group/$node/cpuset.mems"
    }
  done
  on "$node" tee /etc/cni/net.d/10-pods.conflist >/dev/null <<JSON
{"cniVersion": "0.4.0", "name": "pods", "plugins": [
  {"type": "ptp", "ipMasq": false, "ipam": {"type": "host-local", "subnet": "10.88.$number.0/24", "routes": [{"dst": "0.0.0.0/0"}]}}]}
JSON
  ip route add "10.88.$number.0/24" via "10.99.0.1$number"
  on "$node" sysctl -qw net.ipv4.ip_forward=1
  on "$node" tee /etc/containerd/config.toml >/dev/null <<'TOML'
version = 4
imports = ["/etc/containerd/conf.d/*.toml"]
[plugins."io.containerd.cri.v1.runtime"]
  # A score below zero asks for a capability that not every machine gives away.
  restrict_oom_score_adj = true
  [plugins."io.containerd.cri.v1.runtime".cni]
    bin_dirs = ["/usr/lib/cni"]
[plugins."io.containerd.cri.v1.images".pinned_images]
  sandbox = "docker.io/library/pause:latest"
TOML
  on "$node" tee /etc/kubelet.yaml >/dev/null <<YAML
apiVersion: kubelet.config.k8s.io/v1beta1
kind: KubeletConfiguration
authentication: {anonymous: {enabled: true}, webhook: {enabled: false}}
authorization: {mode: AlwaysAllow}
failCgroupV1: false
cgroupDriver: cgroupfs
cgroupRoot: /$node
enforceNodeAllocatable: []
oomScoreAdj: 0
failSwapOn: false
containerRuntimeEndpoint: unix:///run/containerd/containerd.sock
staticPodPath: /etc/static-pods
evictionHard: {memory.available: 1Mi, nodefs.available: 0%, nodefs.inodesFree: 0%, imagefs.available: 0%}
imageGCHighThresholdPercent: 100
maxPods: 200
registryPullQPS: 0
nodeStatusUpdateFrequency: 2s
YAML
}

# start_node_containerd has a loop in the place of systemd: whoever ends the daemon gets a new one.
start_node_containerd() {
  on "$1" install -m 755 "$REPO/test/bats/kubernetes/restart-containerd" /usr/local/bin/
  daemon "$1.containerd" bash "$REPO/test/bats/kubernetes/supervise" "$(<"$CLUSTER/$1.holder.pid")"
  patiently on "$1" ctr version
}

# restart_node_containerd NODE
restart_node_containerd() { on "$1" restart-containerd; }

start_kubelet() {
  daemon "$1.kubelet" become_on "$1" unshare --mount --propagation unchanged bash "$REPO/test/bats/kubernetes/kubelet-room" \
    kubelet --config=/etc/kubelet.yaml --kubeconfig="$CLUSTER/$1.conf" --hostname-override="$1" --node-ip="10.99.0.1${1#node}"
}

# lose NODE ends all that runs there, as a loss of power does; find_again starts it as a boot does.
lose() {
  local node=$1 pid
  # Who starts containerd anew goes first; then whatever is in the node's control groups.
  end_daemon "$node.kubelet" KILL
  end_daemon "$node.containerd" KILL
  kill -KILL "$(<"$CLUSTER/$node/run/supervised.pid")" 2>/dev/null || true
  for pid in "$CLUSTER/$node"/run/containerd/io.containerd.runtime.v2.task/k8s.io/*/init.pid; do
    [[ ! -e $pid ]] || kill -KILL "$(<"$pid")" 2>/dev/null || true
  done
  for pid in $(pgrep -f "^[^ ]*containerd-shim-runc-v2 "); do
    [[ $(readlink "/proc/$pid/ns/mnt") != "$(readlink "/proc/$(<"$CLUSTER/$node.holder.pid")/ns/mnt")" ]] || kill -KILL "$pid" 2>/dev/null || true
  done
}
find_again() {
  start_node_containerd "$1"
  start_kubelet "$1"
  patiently ready "$1"
}

# archive NAME DIRECTORY [CONFIG] makes $CLUSTER/NAME.tar, an image of a directory's files.
archive() {
  FILES=$2 BATS_TEST_DIRNAME=$REPO/test/bats/engines BATS_FILE_TMPDIR=$CLUSTER bash -c '
    bats_require_minimum_version() { :; }
    source "$BATS_TEST_DIRNAME/engines.bash"
    image() { tar -C "$FILES" -c .; }
    image_archive "$@"' bash "$1" "${3:-}" >"$CLUSTER/$1.tar"
}

# import_image NODE FILE
import_image() { on "$1" ctr --namespace k8s.io images import "$2" >/dev/null; }

ready() { [[ $(kubectl get node "$1" -o 'jsonpath={.status.conditions[?(@.type=="Ready")].status}') == True ]]; }

# has_account NAMESPACE: pods can be made there.
has_account() { kubectl -n "$1" get serviceaccount default && kubectl -n "$1" get configmap kube-root-ca.crt; }

start_cluster() {
  local node number=0
  mkdir "$CLUSTER"
  start_control_plane
  archive bb "$NONROOT_BATS_KIT"
  archive pause "$NONROOT_BATS_KIT" '{Cmd: ["/bin/probe", "pause"], User: "65535:65535"}'
  for node in "${NODES[@]}"; do
    make_node "$node" $((++number))
    start_node_containerd "$node"
    import_image "$node" "$CLUSTER/bb.tar"
    import_image "$node" "$CLUSTER/pause.tar"
    start_kubelet "$node"
  done
  for node in "${NODES[@]}"; do patiently ready "$node"; done
  patiently has_account default
}

# stop_cluster leaves no shim: the room's end kills what is left.
stop_cluster() {
  local file
  for file in "$CLUSTER"/*.containerd.pid; do
    file=${file##*/}
    end_daemon "${file%.pid}" KILL
    kill -KILL "$(<"$CLUSTER/${file%.containerd.pid}/run/supervised.pid")" || true
  done
  for file in "$CLUSTER"/*.pid; do
    file=${file##*/}
    end_daemon "${file%.pid}" KILL
  done
}
