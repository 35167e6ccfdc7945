#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Rules: what holds for some containers, known by what their engine says on its own account. The calls are those of
# containerd's part for Kubernetes: its --root, and the annotations that it writes (SECURITY.md F1-F4).

load helpers

setup() {
  setup_bundle
  mkdir -p /run/containerd
  mount -t tmpfs -o mode=711 tmpfs /run/containerd
  from /run/containerd/runc/k8s.io
  says_of team-a web
}
teardown() {
  end_containers
  umount /run/containerd
}

# from ROOT makes the calls those of another engine.
from() {
  mkdir -p "$1"
  keeps_state "$1"
}

# says_of NAMESPACE POD puts in what the engine says of a pod.
says_of() {
  config --arg n "$1" --arg p "$2" '.annotations += {"io.kubernetes.cri.sandbox-namespace": $n, "io.kubernetes.cri.sandbox-name": $p,
    "io.kubernetes.cri.container-name": "app", "io.kubernetes.cri.image-name": "docker.io/library/nginx:1"}'
}

again() {
  fresh
  says_of "$@"
}

exempt_agents() {
  policy <<'TOML'
[[rule]]
name = "agents"
mode = "off"
reason = "the network plugin configures the host"
match.engine = ["kubernetes"]
match.namespace = ["kube-system"]
match.pod = ["calico-*"]
TOML
}

@test "a rule for a namespace, another for an image, the general part for the rest" {
  policy <<'TOML'
[[rule]]
name = "team b"
match.namespace = ["team-b", "team-c"]
identity.uid = 20000
identity.gid = 20001
[[rule]]
name = "nginx"
match.image = ["docker.io/library/nginx:*"]
identity.uid = 30000
identity.gid = 30000
TOML
  nonroot_shows 'nonroot(30000; 30000)'
  jq -e '.rule == "nginx"' nonroot-runc.json
  again team-b web
  nonroot_shows 'nonroot(20000; 20001)'
  jq -e '.rule == "team b"' nonroot-runc.json
  fresh
  nonroot_shows nonroot
  jq -e '.rule == "default"' nonroot-runc.json
}

@test "an exemption is for those that it names, and its record says why" {
  exempt_agents
  again kube-system calico-x1
  nonroot_shows root
  jq -e '.mode == "off" and .rule == "agents" and .reason == "the network plugin configures the host"' nonroot-runc.json
  again kube-system web
  nonroot_shows nonroot
  again team-a calico-x1
  nonroot_shows nonroot
}

@test "F1 F2 F4: the same annotations from elsewhere exempt nobody" {
  exempt_agents
  local root
  for root in "$BATS_TEST_TMPDIR/state" /run/containerd/runc/default /run/containerd/runc/k8s.io.evil; do
    from "$root"
    again kube-system calico-x1
    nonroot_shows nonroot || explain "from $root"
    end_containers
  done
}

@test "F3: annotations that a pod may set beside those of the engine exempt nobody" {
  exempt_agents
  config '.annotations += {"io.kubernetes.pod.namespace": "kube-system", "io.kubernetes.cri-o.Namespace": "kube-system",
    "IO.KUBERNETES.CRI.SANDBOX-NAMESPACE": "kube-system", "io.kubernetes.cri.sandbox-namespace ": "kube-system"}'
  nonroot_shows nonroot
}

# dockerd keeps its plugins' containers below a directory of their own.
@test "F11: a plugin of Docker's is nobody's root, unless a rule is for its engine" {
  local roots=$BATS_TEST_TMPDIR/docker/runtime-runc
  from "$roots/plugins.moby"
  fresh
  bare_shows root
  nonroot_shows nonroot
  policy <<'TOML'
[[rule]]
name = "plugins"
mode = "off"
reason = "they are the daemon's own"
match.engine = ["docker-plugin"]
TOML
  fresh
  nonroot_shows root
  from "$roots/moby"
  fresh
  nonroot_shows nonroot
}

@test "a rule that has run out is passed over" {
  policy <<'TOML'
[[rule]]
name = "over"
mode = "off"
reason = "until the migration"
until = 2020-01-01
match.namespace = ["team-a"]
TOML
  nonroot_shows nonroot
  sed -i 's/2020-01-01/2999-01-01/' "$POLICY"
  again team-a web
  nonroot_shows root
}

@test "exec goes by the rule, too" {
  policy <<'TOML'
[[rule]]
name = "team a"
match.namespace = ["team-a"]
mode = "refuse"
TOML
  config '.process.user = {uid: 1000, gid: 1000}'
  detached nonroot
  process .
  refused 'asks for root' nonroot exec --process "$PROCESS" "$ID"
  : >"$POLICY"
  shows 'nonroot(1000; 1000)' nonroot exec --process "$PROCESS" "$ID"
}

@test "start and exec of a container without a record go by the rule" {
  exempt_agents
  again kube-system calico-x1
  created bare
  fails_with 0 nonroot start "$ID"
  process .
  shows root nonroot exec --process "$PROCESS" "$ID"
  again team-a web
  created bare "$ID-2"
  fails_with 1 nonroot start "$ID-2"
}

@test "where a rule could be for it, a document that can't be read is refused, also in mode off" {
  policy <<'TOML'
mode = "off"
reason = "most of them"
[[rule]]
name = "team a"
match.namespace = ["team-a"]
mode = "rewrite"
TOML
  nonroot_shows nonroot
  again team-b web
  nonroot_shows root
  again team-a web
  sed -i 's/"ociVersion"/"ociVersion": "1.0.2", "ociVersion"/' config.json
  refused 'ociVersion' nonroot run "$ID"
}

@test "enforce this, audit that" {
  policy <<'TOML'
audit.mode = "refuse"
[[rule]]
name = "team a"
match.namespace = ["team-a"]
audit.identity.uid = 40000
TOML
  shows nonroot nonroot --log "$BATS_TEST_TMPDIR/log" --log-format json run "$ID"
  jq -e '.mode == "rewrite" and (.audited | test("would run as 40000:65532"))' nonroot-runc.json
  jq -e '.level == "warning" and (.msg | test("would run as 40000:65532"))' "$BATS_TEST_TMPDIR/log"
  again team-b web
  nonroot_shows nonroot
  jq -e '.audited | test("would be refused: the container asks for root")' nonroot-runc.json
  again team-b web
  config '.process.user = {uid: 1000, gid: 1000}'
  nonroot_shows 'nonroot(1000; 1000)'
  jq -e 'has("audited") | not' nonroot-runc.json
}

@test "requests are bounded by rule, and a refusal says what is allowed" {
  policy <<'TOML'
[[rule]]
name = "team a"
match.namespace = ["team-a"]
identity.requests = ["annotation"]
identity.allowed_uids = ["20000-20999"]
TOML
  config '.annotations["io.nonroot-runc.user"] = "20005"'
  nonroot_shows 'uid(20005)'
  again team-a web
  config '.annotations["io.nonroot-runc.user"] = "30000"'
  refused '20000-20999' nonroot run "$ID"
  again team-b web
  config '.annotations["io.nonroot-runc.user"] = "20005"'
  nonroot_shows nonroot
}
