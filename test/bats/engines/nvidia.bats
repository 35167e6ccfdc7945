#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# NVIDIA's wrapper, the real one (hack/build-engines), with a device of a made-up CDI specification. It writes config.json
# anew for every container: so it stands in front of nonroot-runc, never behind it.

load engines

WRAPPER=/usr/local/bin/nvidia-container-runtime

setup_file() {
  install -m 755 "$REPO/.cache/nvidia/nvidia-container-runtime" "$WRAPPER"
  mkdir -p /etc/cdi
  install -m 644 "$REPO/test/bats/made-up-gpu.yaml" /etc/cdi/nvidia.yaml
  wrapper_goes_on_to "\"$NONROOT\""
  mkdir -p /etc/docker
  printf '{"runtimes": {"nvidia": {"path": "%s"}, "nonroot": {"path": "%s"}}, "default-runtime": "nvidia"}\n' "$WRAPPER" "$NONROOT" >/etc/docker/daemon.json
  start_dockerd
  docker_image bb
}
teardown_file() { stop_dockerd; }

setup() { no_policy; }
teardown() { no_containers; }

# wrapper_goes_on_to RUNTIMES writes NVIDIA's configuration.
wrapper_goes_on_to() {
  mkdir -p /etc/nvidia-container-runtime
  printf '[nvidia-container-runtime]\nmode = "cdi"\nruntimes = [%s]\n' "$1" >/etc/nvidia-container-runtime/config.toml
}

gpu() { docker run -e NVIDIA_VISIBLE_DEVICES=nvidia.com/gpu=0 "$@"; }

@test "engine, NVIDIA, runc: the device comes, with its group, and root" {
  wrapper_goes_on_to '"runc"'
  shows 'root and any(.Groups[]; . == 44)' gpu --rm bb probe
  wrapper_goes_on_to "\"$NONROOT\""
}

@test "engine, NVIDIA, nonroot-runc, runc: the device comes, the group does not, nobody is root" {
  shows nonroot gpu --rm bb probe
  shows nonroot gpu --rm --user 0 --privileged bb probe
  succeeds gpu --rm bb sh -c 'echo "$GPU" && echo x >/dev/nvidia0 && stat -c %t:%T /dev/nvidia0'
  [[ $OUT == $'zero\n1:3' ]] || explain 'expected the device'
  # What needs no GPU comes the same way.
  shows nonroot docker run --rm bb probe
}

@test "engine, NVIDIA, nonroot-runc, runc: exec has the container's identity, restart passes the gate" {
  policy <<<'identity.sources = ["fixed"]
identity.range = "200000-200999"'
  gpu -d --name box bb probe pause >/dev/null
  local uid
  uid=$(docker exec box id -u)
  ((uid >= 200000 && uid <= 200999)) || explain "uid $uid"
  shows "nonroot($uid; $uid) and .Groups == []" docker exec box probe
  shows "nonroot($uid; $uid) and .Groups == []" docker exec --user 0 --privileged box probe
  shows "nonroot($uid; $uid) and .Groups == []" status_of "$(docker inspect -f '{{.State.Pid}}' box)"
  docker restart --time 0 box >/dev/null
  shows "nonroot($uid; $uid) and .Groups == []" docker exec box probe
}

@test "doctor: the order that works is governed" {
  says nonroot-ctl doctor --engine docker --runtime-name nvidia
  [[ $OUT == *'ok   docker: registered: as ["nonroot" "nvidia"]'* && $OUT == *'ok   docker: default: it is "nvidia"'* ]] || explain 'expected both'
  lacks 'next runtime: order'
  [[ $STATUS == 0 ]] || explain 'expected no failure'
  wrapper_goes_on_to '"runc"'
  says nonroot-ctl doctor
  [[ $OUT == *'warn docker: default: it is "nvidia"'*'NOT governed'* ]] || explain 'expected the default to be named'
  # With the guard, "runc" is nonroot-runc.
  succeeds nonroot-ctl configure runc --builds off
  says nonroot-ctl doctor
  [[ $OUT == *'ok   docker: default: it is "nvidia"'* ]] || explain 'expected the guard to count'
  shows nonroot gpu --rm bb probe
  succeeds nonroot-ctl configure runc --uninstall
  wrapper_goes_on_to "\"$NONROOT\""
}

@test "doctor: the other order is named, with the one that works, links and profiles too" {
  local name
  for name in nvidia-container-runtime nvidia-container-runtime.cdi gpu-runtime; do
    [[ $name == nvidia-container-runtime ]] || ln -s "$WRAPPER" "/usr/local/bin/$name"
    policy <<<"runtimes = [\"/usr/local/bin/$name\"]"
    says nonroot-ctl doctor
    [[ $STATUS == 1 && $OUT == *'FAIL next runtime: order: '*"$name"*'runtimes = ["/usr/local/sbin/nonroot-runc"]'* ]] || explain "expected $name"
  done
  policy <<<'mode = "rewrite"'
  printf 'runtimes = ["nvidia-container-runtime"]\n' >"${POLICY%/*}/gpu.toml"
  says nonroot-ctl doctor
  [[ $STATUS == 1 && $OUT == *'FAIL next runtime: profile "gpu": '* ]] || explain 'expected the profile'
  policy <<<'runtimes = ["runc", "nvidia-container-runtime"]'
  rm "${POLICY%/*}/gpu.toml"
  says nonroot-ctl doctor
  [[ $STATUS == 0 ]] || explain 'expected that what is never reached is no fault'
}

@test "configure docker --set-default in the wrapper's place says what that means" {
  succeeds nonroot-ctl configure docker --set-default --dry-run
  contains 'warning: the default was "nvidia"'
  succeeds nonroot-ctl configure docker --runtime-name other --dry-run
  lacks warning
  succeeds nonroot-ctl configure docker --set-default --config "$BATS_TEST_TMPDIR/daemon.json" --dry-run
  lacks warning
  printf '{"default-runtime":"nvidia","runtimes":{"nvidia":{"args":[],"path":"nvidia-container-runtime"}}}' >"$BATS_TEST_TMPDIR/daemon.json"
  succeeds nonroot-ctl configure docker --set-default --config "$BATS_TEST_TMPDIR/daemon.json"
  contains 'warning: the default was "nvidia"'
  contains 'runtimes = ["/usr/local/sbin/nonroot-runc"]'
}
