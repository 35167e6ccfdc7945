#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# What nonroot-ctl check says of images that Docker has, and of what it changes: the result is built, and runs as somebody else.

load engines

setup_file() {
  no_policy
  configure_docker nonroot
  start_dockerd
}
teardown_file() {
  # The daemons of the files after this one have the same images.
  docker rmi --force before after named debian:12 >/dev/null 2>&1 || true
  stop_dockerd
}

setup() {
  export CTL=$REPO/bin/nonroot-ctl
  cd "$BATS_TEST_TMPDIR" || return
}

# base NAME: an image of that name with Debian's useradd and groupadd of this machine, and what that needs.
base() {
  mkdir -p base/{etc,bin,tmp,usr/sbin}
  mkdir -m 700 base/root # as Debian has it
  cp "$(command -v busybox)" base/bin/
  local name
  for name in sh id sleep cat mkdir ls cp chown chmod true setpriv; do ln -sf busybox "base/bin/$name"; done
  cp "$(command -v useradd)" "$(command -v groupadd)" base/usr/sbin/
  while IFS= read -r name; do
    mkdir -p "base/${name%/*}"
    cp -L "$name" "base/$name"
  done < <(ldd "$(command -v useradd)" "$(command -v groupadd)" | grep -o '/[^ :]*[.]so[^ :]*' | sort -u)
  cp /etc/login.defs base/etc/
  printf 'root:x:0:0:root:/root:/bin/sh\n' >base/etc/passwd
  printf 'root:x:0:\n' >base/etc/group
  printf 'root:*::0:::::\n' | tee base/etc/shadow >base/etc/gshadow
  tar -C base -c . | docker import - "$1" >/dev/null
}

@test "check: --fix makes a Dockerfile whose image is built, and runs as nobody's root" {
  base debian:12
  mkdir build
  printf 'FROM debian:12\nRUN id -u >/built\nCMD ["id", "-u"]\n' >build/Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t before build >/dev/null
  [[ $(docker run --rm --runtime runc before) == 0 ]]
  fails_with 0 "$CTL" check --fix build/Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t after build >/dev/null
  [[ $(docker run --rm --runtime runc after) == 10001 ]]
  [[ $(docker run --rm --runtime runc after busybox grep -h ^app: /etc/passwd /etc/group) == 'app:x:10001:10001:'*$'\napp:x:10001:' ]]
  # What the command writes is given to its user, and a name becomes the numbers that it has.
  printf 'a\n' >build/settings
  cat >build/Dockerfile <<'EOF'
FROM debian:12
RUN groupadd --gid 7001 app && useradd --uid 6001 --gid app app
COPY settings /app/
USER app
CMD echo more >>/app/settings && echo "$(id -u):$(id -g)"
EOF
  DOCKER_BUILDKIT=1 docker build -q -t before build >/dev/null
  if docker run --rm --runtime runc before; then explain 'expected that it fails as it is'; fi
  fails_with 0 "$CTL" check --fix build/Dockerfile
  [[ $(grep -v '^FROM\|^RUN\|^CMD' build/Dockerfile) == $'COPY --chown=6001:7001 settings /app/\nUSER 6001:7001' ]] || explain "$(<build/Dockerfile)"
  DOCKER_BUILDKIT=1 docker build -q -t after build >/dev/null
  [[ $(docker run --rm --runtime runc after) == 6001:7001 ]]
}

@test "check: an image of Docker's, by name and as a base" {
  base debian:12
  printf 'FROM debian:12\nRUN echo app:x:7:7::/:/bin/sh >>/etc/passwd\nUSER app\n' >Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t named . >/dev/null
  fails_with 0 "$CTL" check docker-daemon:named:latest
  [[ $OUT == *'Docker and Podman start 7:7, containerd starts 7:7'* ]] || explain 'expected both readers'
  docker save -o named.tar named:latest
  fails_with 0 "$CTL" check named.tar
  fails_with 1 "$CTL" check docker-daemon:debian:12
  printf 'FROM named\n' >Dockerfile
  fails_with 1 "$CTL" check Dockerfile
  fails_with 0 "$CTL" check --local docker Dockerfile
  # A name that is root's in the base.
  printf 'FROM debian:12\nRUN echo toor:x:0:0::/:/bin/sh >>/etc/passwd\n' >Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t rooted . >/dev/null
  printf 'FROM rooted\nUSER toor\n' >Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t of-a-name . >/dev/null
  [[ $(docker run --rm --runtime runc of-a-name id -u) == 0 ]]
  fails_with 1 "$CTL" check --local docker Dockerfile
  printf 'FROM named\nUSER app\n' >Dockerfile
  fails_with 0 "$CTL" check --local docker Dockerfile
}

@test "check: an image of Podman's, by name and as a base" {
  printf '[storage]\ndriver = "vfs"\ngraphroot = "%s/graph"\nrunroot = "%s/run"\n' "$PWD" "$PWD" >storage.conf
  export CONTAINERS_STORAGE_CONF=$PWD/storage.conf
  mkdir -p root/etc
  printf 'root:x:0:0::/:/bin/sh\napp:x:7:7::/:/bin/sh\n' >root/etc/passwd
  tar -C root -c . | command podman import -c 'USER app' - localhost/named:1 >/dev/null
  fails_with 0 "$CTL" check containers-storage:localhost/named:1
  [[ $OUT == *'Docker and Podman start 7:7, containerd starts 7:7'* ]] || explain 'expected both readers'
  printf 'FROM localhost/named:1\n' >Dockerfile
  fails_with 1 "$CTL" check Dockerfile
  fails_with 0 "$CTL" check --local podman Dockerfile
  fails_with 2 "$CTL" check containers-storage:localhost/none:1
}

@test "check --run: an image of Docker's is started once, what it is denied is told, and no container is left" {
  base debian:12
  printf 'FROM debian:12\nCMD ["sh", "-c", "echo served; echo x >/etc/x; sleep 1000"]\n' >Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t named . >/dev/null
  docker run --rm --runtime runc named sh -c 'echo x >/etc/x'
  fails_with 1 "$CTL" check --run docker-daemon:named --for 3s --json
  jq -e '.results[0] | .verdict == "non-root" and (.findings | any(.id == "denied-at-run" and (.why | test("/etc"))))' <<<"$OUT" || explain 'expected what is denied'
  [[ $ERR == *served* ]] || explain 'expected what it prints'
  [[ -z $(docker ps -aq) ]] || explain 'a container is left'
  fails_with 0 "$CTL" check --run docker-daemon:named -- sh -c 'id -u >/tmp/x'
  fails_with 1 "$CTL" check --run docker-daemon:named -- sh -c 'exit 7'
  [[ $OUT == *'ended with 7'*'[failed-at-run]'* ]] || explain 'expected that it failed'
  # One that has an answer to each signal ends all the same, and a volume made for it goes with it.
  printf 'FROM debian:12\nVOLUME /data\nCMD ["sh", "-c", "trap : TERM INT; while :; do sleep 1; done"]\n' >Dockerfile
  DOCKER_BUILDKIT=1 docker build -q -t named . >/dev/null
  fails_with 0 "$CTL" check --run docker-daemon:named --for 2s
  [[ -z $(docker ps -aq) && -z $(docker volume ls -q) ]] || explain 'something is left'
  fails_with 2 "$CTL" check --run docker-daemon:named --runtime runc -- true
  fails_with 2 "$CTL" check --run docker-daemon:no-such-image:at-all
  [[ -z $(docker ps -aq) ]] || explain 'a container is left'
}

# hazards unpacks the corpus of hazards (the txtar format of golang.org/x/tools).
hazards() {
  local line file=/dev/null
  mkdir hazards
  while IFS= read -r line; do
    if [[ $line == '-- '*' --' ]]; then
      file=hazards/${line:3:-3}
      mkdir -p "${file%/*}"
      : >"$file"
    else
      printf '%s\n' "$line" >>"$file"
    fi
  done <"$REPO/internal/check/testdata/hazards.txtar"
  chmod 755 hazards/context/*.sh
}

# proves HOW FILE: a build of the Dockerfile, its container under runc, or that one's health check ends well.
proves() {
  DOCKER_BUILDKIT=1 docker build -q -t named --secret id=s,src="$BATS_TEST_TMPDIR/secret" -f "$2" hazards/context >build.log 2>&1 || {
    [[ $1 == build ]] && return 1
    explain "$2 is not built: $(<build.log)"
  }
  case $1 in
    build) ;;
    run) timeout 60 docker run --rm --runtime runc named >run.log 2>&1 ;;
    health) healthy ;;
    *) explain "nothing is shown by $1" ;;
  esac
}

# healthy: the health check of the image passes in a container under runc.
healthy() {
  local id status
  id=$(docker run -d --runtime runc --health-interval 1s --health-retries 1 named)
  for _ in $(seq 600); do
    status=$(docker inspect --format '{{.State.Health.Status}}' "$id")
    [[ $status == starting ]] || break
    sleep 0.1
  done
  docker inspect --format '{{json .State.Health.Log}}' "$id" >run.log
  docker rm -f "$id" >/dev/null
  [[ $status == healthy || $status == unhealthy ]] || explain "the health check said nothing: $status"
  [[ $status == healthy ]]
}

@test "check: the hazards of the corpus that can be seen are: each breaks, and its clean twin does not" {
  base debian:12
  printf 'secret\n' >secret
  hazards
  local proof proved=0
  while IFS= read -r proof; do
    proves "$(<"$proof")" "${proof%.proof}.good" || explain "${proof%.proof}.good breaks: $(cat build.log run.log)"
    if proves "$(<"$proof")" "${proof%.proof}.bad"; then explain "${proof%.proof}.bad does not break"; fi
    proved=$((proved + 1))
  done < <(find hazards -name '*.proof' | sort)
  ((proved >= 28)) || explain "only $proved were tried"
}
