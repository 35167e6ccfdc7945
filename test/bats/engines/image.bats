#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The agent's image, as deploy/Dockerfile has it built: by the classic builder and by BuildKit, each twice. hack/base-image stands in for
# golang's.

load engines

# Compiling all of it is one test.
export BATS_TEST_TIMEOUT=1800
EPOCH=1700000000

setup_file() {
  rm -rf /etc/docker /etc/nonroot-runc
  start_dockerd
  tar -C "$NONROOT_IMAGE/base" -c . | docker import --change 'ENV GOPROXY=file:///modules GOTOOLCHAIN=local PATH=/usr/local/go/bin:/usr/bin' - golang:1.26.8 >/dev/null
}

teardown_file() {
  no_containers
  docker image ls -q | sort -u | xargs -r docker rmi --force >/dev/null
  stop_dockerd
}

# built BUILDKIT NAME [FLAG...] builds the image from the beginning; BUILDKIT is 0 or 1.
built() { build "$@" --no-cache; }
build() {
  local kit=$1 name=$2
  shift 2
  DOCKER_BUILDKIT=$kit docker build --build-arg VERSION=1.0.0 --build-arg "SOURCE_DATE_EPOCH=$EPOCH" -f "$NONROOT_IMAGE/source/deploy/Dockerfile" \
    -t "$name" "$@" "$NONROOT_IMAGE/source" >"$BATS_FILE_TMPDIR/build.log" 2>&1 || {
    tail -n 30 "$BATS_FILE_TMPDIR/build.log" >&2
    return 1
  }
}

layers() { docker image inspect -f '{{json .RootFS.Layers}}' "$1"; }

# config prints what an image's configuration says but for the times of the build.
config() {
  docker image inspect "$1" | jq -S '.[0] | [.Config.Entrypoint, .Config.Cmd, .Config.User, .Config.Env, .Config.WorkingDir, .Config.Volumes, .Config.ExposedPorts, .Architecture, .Os, .RootFS]'
}

# files_of NAME DIRECTORY unpacks its one layer.
files_of() {
  local layers
  mkdir -p "$2/image" "$2/files"
  docker save "$1" | tar -C "$2/image" -x
  layers=$(jq -r '.[0].Layers[]' "$2/image/manifest.json")
  [[ $(wc -l <<<"$layers") == 1 ]] || explain "layers: $layers"
  tar -C "$2/files" -xpf "$2/image/$layers"
}

holds_the_programs() {
  local dir=$BATS_TEST_TMPDIR/$1 name
  files_of "$1" "$dir"
  [[ $(cd "$dir/files" && find . -mindepth 1 -printf '%P %y %m %U:%G %Ts\n' | sort) == "nonroot-ctl f 755 0:0 $EPOCH
nonroot-node f 755 0:0 $EPOCH
nonroot-runc f 755 0:0 $EPOCH" ]] || explain "$(find "$dir/files" -ls)"
  for name in nonroot-ctl nonroot-node nonroot-runc; do
    cmp "$dir/files/$name" "$NONROOT_IMAGE/programs/$name"
    ! readelf -lW "$dir/files/$name" | grep -q INTERP || explain "$name is not static"
  done
  [[ $(docker image inspect -f '{{json .Config.Entrypoint}} {{.Config.User}}' "$1") == '["/nonroot-node"] ' ]]
}

@test "the classic builder: three static programs with hack/build's bytes, and nothing else" {
  built 0 classic
  holds_the_programs classic
  # With what was compiled for this one, which the builder remembers, the next ones take seconds.
  build 0 compiled --target build
}

@test "the classic builder again, elsewhere: the same layer; only the time of the build is another" {
  built 0 again --build-arg GO=compiled
  [[ $(layers again) == "$(layers classic)" ]] || explain "$(layers again) is not $(layers classic)"
  [[ $(config again) == "$(config classic)" ]] || explain "$(diff <(config again) <(config classic))"
}

@test "BuildKit, twice: the same programs, and the same layer" {
  built 1 kit --build-arg GO=compiled
  holds_the_programs kit
  built 1 kit-again --build-arg GO=compiled
  [[ $(layers kit) == "$(layers kit-again)" ]] || explain "$(layers kit) is not $(layers kit-again)"
  [[ $(config kit) == "$(config kit-again)" ]] || explain "$(diff <(config kit) <(config kit-again))"
  # Debian's 20.10 has a BuildKit of before SOURCE_DATE_EPOCH.
  if [[ $(docker version -f '{{.Server.Version}}') != 20.10.* ]]; then
    [[ $(docker image inspect -f '{{.Id}} {{.Created}}' kit) == "$(docker image inspect -f '{{.Id}} {{.Created}}' kit-again)" ]] || explain 'the digests differ'
    [[ $(docker image inspect -f '{{.Created}}' kit) == "$(date -u -d "@$EPOCH" +%FT%T)"* ]] || explain 'expected the time that was given'
  fi
}

@test "containerd has it from an archive, and starts the agent of it" {
  start_containerd
  docker tag classic nonroot-node
  # It stays there, for NONROOT_NODE_IMAGE of hack/bats-kubernetes.
  docker save --output "$NONROOT_IMAGE/nonroot-node.tar" nonroot-node
  ctr --namespace k8s.io images import "$NONROOT_IMAGE/nonroot-node.tar" >/dev/null
  succeeds ctr --namespace k8s.io run --rm docker.io/library/nonroot-node:latest try /nonroot-node -version
  [[ $OUT == 'nonroot-node 1.0.0, '* ]] || explain 'expected its version'
  ctr --namespace k8s.io images rm docker.io/library/nonroot-node:latest >/dev/null
  stop_containerd
}
