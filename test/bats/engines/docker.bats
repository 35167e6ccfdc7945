#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Docker with nonroot-runc as its default runtime. Each test shows first what the same call gives with the bare runtime,
# which --runtime runc still names.

load engines

setup_file() {
  no_policy
  configure_docker nonroot
  start_dockerd
  docker_image bb
  docker_image bb-user 'USER www-data'
  docker_image bb-volume 'VOLUME /data'
}
teardown_file() { stop_dockerd; }

setup() { no_policy; }
teardown() {
  no_policy
  no_containers
  rm -f /dev/ttyNONROOT
}

bare() { docker run --rm --runtime runc "$@"; }
nonroot() { docker run --rm "$@"; }

# box [FLAG...] leaves a container running.
box() { docker run -d --name box "$@" bb probe pause >/dev/null; }

# every_capability says whether this machine gives them all away.
every_capability() { ! capsh --print | grep -q '^Bounding.*!\|^Current.*-'; }

# Who may name a runtime has this way around (docs/engines.md), unless nonroot-runc stands in runc's place: configure.bats.
@test "docker run, by the default runtime and by --runtime; F7: --runtime runc is bare" {
  shows root bare bb probe
  shows nonroot nonroot bb probe
  shows nonroot nonroot --runtime nonroot bb probe
}

@test "a name and a home of its own" {
  succeeds nonroot bb sh -c 'id -un; echo x >"$HOME/x" && stat -c "%a %u" "$HOME"; echo "$USER $LOGNAME"'
  [[ $OUT == $'nonroot\n700 65532\nnonroot nonroot' ]] || explain 'expected a name and a home'
  succeeds nonroot -e HOME=/root bb sh -c 'echo x >"$HOME/x" && echo "$HOME"'
  [[ $OUT == /home/nonroot ]] || explain 'expected a home that it can write'
}

@test "-u: root in any spelling is nobody's root, others stay" {
  shows root bare --user 0 bb probe
  local user
  for user in 0 0:0 root root:root; do
    shows nonroot nonroot --user "$user" bb probe
  done
  shows 'uid(12345) and gid(0)' bare -u 12345 bb probe
  shows 'nonroot(12345; 65532)' nonroot -u 12345 bb probe
  shows 'nonroot(1000; 1000)' nonroot -u 1000:1000 bb probe
  shows 'nonroot(33; 33)' nonroot bb-user probe
}

@test "--cap-add ALL, --privileged" {
  says bare --privileged bb probe
  if [[ $STATUS != 0 ]]; then
    # Where the machine's bounding set lacks some (CAP_SYS_RESOURCE), runc 1.1 cannot start what asks for all.
    ! every_capability || explain 'expected a privileged container'
    [[ $ERR == *'unable to apply caps'* ]] || explain 'expected another reason'
    shows 'root and .CapEff != none' bare --cap-add SYS_ADMIN --cap-add NET_ADMIN bb probe
  else
    jq -e "$JQ_DEFS root and .CapEff != none" <<<"$OUT" >/dev/null || explain 'expected root'
  fi
  shows nonroot nonroot --cap-add ALL bb probe
  shows nonroot nonroot --privileged bb probe
}

@test "A3: --group-add: what means something on the host is dropped" {
  shows '.Groups | contains([6])' bare --group-add 6 --group-add 2000 bb probe
  shows 'uid(65532) and powerless and .Groups == [2000]' nonroot --group-add 6 --group-add 2000 bb probe
}

@test "B1 B2: no user namespaces, also unconfined and with SYS_ADMIN" {
  shows '.unshare == "ok"' bare --security-opt seccomp=unconfined bb probe userns
  shows '.unshare == "EPERM" and .clone3 == "ENOSYS"' nonroot --security-opt seccomp=unconfined bb probe userns
  shows '.unshare == "EPERM" and .clone3 == "ENOSYS"' nonroot --cap-add SYS_ADMIN bb probe userns
}

@test "A10 F13: a setuid file that docker cp brings" {
  cp "$NONROOT_BATS_KIT/bin/probe" "$BATS_TEST_TMPDIR/suid"
  chmod 4755 "$BATS_TEST_TMPDIR/suid"
  docker run -d --name bare --runtime runc -u 1000:1000 bb probe pause >/dev/null
  docker cp "$BATS_TEST_TMPDIR/suid" bare:/suid
  shows '.Uid == [1000, 0, 0, 0]' docker exec bare /suid
  box -u 1000:1000
  docker cp "$BATS_TEST_TMPDIR/suid" box:/suid
  shows 'nonroot(1000; 1000)' docker exec box /suid
}

@test "the log knows name and image by the daemon's own file" {
  policy <<<"log.file = \"$BATS_TEST_TMPDIR/audit.log\""
  box
  shows nonroot docker exec -u 0 box probe
  jq -es '[.[] | [.event, .engine, .name, .image, .mode]] == [["create", "docker", "box", "bb", "rewrite"],
    ["start", "docker", "box", "bb", "rewrite"], ["exec", "docker", "box", "bb", "rewrite"]]' "$BATS_TEST_TMPDIR/audit.log" ||
    explain "$(cat "$BATS_TEST_TMPDIR/audit.log")"
}

@test "C6: a uid for each container; a Compose project has one, and restart changes none" {
  uid_of() { docker inspect -f '{{.State.Pid}}' "$1" | xargs -I{} awk '/^Uid/ { print $2 }' /proc/{}/status; }
  policy <<<'identity.range = "200000-265535"'
  local name
  for name in a b; do docker run -d --name "shop-$name" --label com.docker.compose.project=shop bb probe pause; done
  for name in c d; do docker run -d --name "alone-$name" bb probe pause; done
  local shop alone
  shop=$(uid_of shop-a)
  alone=$(uid_of alone-c)
  ((shop >= 200000 && shop <= 265535))
  [[ $(uid_of shop-b) == "$shop" && $alone != "$shop" && $(uid_of alone-d) != "$alone" && $(uid_of alone-d) != "$shop" ]]
  docker restart -t 0 alone-c >/dev/null
  docker rm -f shop-a >/dev/null
  docker run -d --name shop-a2 --label com.docker.compose.project=shop bb probe pause
  [[ $(uid_of alone-c) == "$alone" && $(uid_of shop-a2) == "$shop" ]]
  # Who has the uid of another is let at what that one runs; who has not, isn't.
  succeeds docker run --rm --pid container:shop-b --label com.docker.compose.project=shop bb sh -c 'cat /proc/1/environ >/dev/null'
  fails_with 1 docker run --rm --pid container:shop-b bb sh -c 'cat /proc/1/environ >/dev/null'
  rm -r /var/lib/nonroot-runc
}

@test "terminals: run -it and exec -it" {
  says on_tty docker run --rm -it bb sh -c 'tty; id -u'
  [[ $OUT == *$'/dev/pts/0\r\n65532'* ]] || explain 'expected a terminal'
  box
  says on_tty docker exec -it -u 0 box sh -c 'tty; id -u'
  [[ $OUT == *$'/dev/pts/'[01]$'\r\n65532'* ]] || explain 'expected a terminal of exec'
}

@test "D1: exec: plain, -u 0, --privileged, another user" {
  docker run -d --name bare --runtime runc -u 1000 bb probe pause >/dev/null
  shows 'root and .CapEff != none and .NoNewPrivs == 0' docker exec -u 0 bare probe
  box
  shows nonroot docker exec box probe
  shows nonroot docker exec -u 0 box probe
  shows nonroot docker exec --privileged -u root:root box probe
  shows 'nonroot(33; 33)' docker exec -u www-data box probe
  succeeds docker exec box sh -c 'id -un; echo "$HOME"'
  [[ $OUT == $'nonroot\n/home/nonroot' ]] || explain 'expected the same name and home'
  fails_with 3 docker exec box sh -c 'exit 3'
}

# Its healthcheck is an exec whose user is the image's.
@test "D1: HEALTHCHECK runs as the container does" {
  docker_image bb-health 'HEALTHCHECK --interval=1s CMD probe >/tmp/health'
  docker run -d --name bare --runtime runc bb-health probe pause >/dev/null
  await healthy bare
  shows 'root and .CapEff != none' docker exec bare cat /tmp/health
  docker run -d --name box bb-health probe pause >/dev/null
  await healthy box
  shows nonroot docker exec box cat /tmp/health
}

@test "a typing mistake in the policy leaves running containers healthy, and restarted ones out" {
  docker_image bb-health 'HEALTHCHECK --interval=1s --retries=1 CMD probe >/tmp/health'
  policy <<<'identity.uid = 4567'
  docker run -d --name box bb-health probe pause >/dev/null
  await healthy box
  policy <<<'mode = rewrite'
  local before
  before=$(docker exec box stat -c %Y.%y /tmp/health)
  await later_than "$before"
  healthy box || explain 'expected it to be healthy still'
  shows 'nonroot(4567; 65532)' docker exec box cat /tmp/health
  fails_with 125 nonroot bb probe
  [[ $ERR == *'config.toml:1:8'* ]] || explain 'expected the line'
  fails_with 1 docker restart -t 0 box
}

# later_than TIME: a health check has written since.
later_than() { [[ $(docker exec box stat -c %Y.%y /tmp/health) != "$1" ]]; }

@test "audit, explain and enforcement agree, whatever root has left in the container's own layer" {
  # As nginx does: directories are given to www-data by root at each start.
  docker_image bb-nginx 'CMD mkdir -p /var/lib/nginx /var/log/nginx; chown 33 /var/lib/nginx /var/log/nginx; exec probe pause'
  policy <<<'mode = "audit"'
  docker run -d --name box bb-nginx >/dev/null
  shows root docker exec box probe
  [[ $(jq -r '.identity.uid' /run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/*/nonroot-runc.json) == 65532 ]]
  no_policy
  succeeds nonroot-ctl explain --docker box
  contains 65532:65532
  docker restart -t 0 box >/dev/null
  shows 'nonroot(65532; 65532)' docker exec box probe
  docker rm -f box >/dev/null
  docker run -d --name box bb-nginx >/dev/null
  shows 'nonroot(65532; 65532)' docker exec box probe
}

@test "explain --docker of a container that has ended says where the log is, or that there is none" {
  docker run --name ended bb true
  no_policy
  says nonroot-ctl explain --docker ended
  [[ $STATUS == 1 && $ERR == *'so there is nothing to explain; nothing is logged, so nothing tells why'*'hint: start it first; set log.file = '* ]] || explain "$ERR"
  policy <<<'log.file = "/run/decisions.log"'
  says nonroot-ctl explain --docker ended
  [[ $STATUS == 1 && $ERR == *'the log has the notes ("/run/decisions.log")'* && $ERR != *'nothing is logged'* ]] || explain "$ERR"
  no_policy
  docker rm ended >/dev/null
}

@test "--init" {
  shows root bare --init bb probe
  shows nonroot nonroot --init bb probe
  box --init
  shows nonroot status_of "$(docker inspect -f '{{.State.Pid}}' box)"
}

@test "--read-only: a home where the image has the directory, none where not" {
  shows nonroot nonroot --read-only bb probe
  fails_with 1 nonroot --read-only bb touch /home/nonroot/x
  tar -C "$NONROOT_BATS_KIT" -c . >"$BATS_TEST_TMPDIR/image.tar"
  mkdir -p "$BATS_TEST_TMPDIR/home/nonroot"
  tar -C "$BATS_TEST_TMPDIR" -rf "$BATS_TEST_TMPDIR/image.tar" home/nonroot
  docker import "$BATS_TEST_TMPDIR/image.tar" bb-home >/dev/null
  succeeds nonroot --read-only bb-home touch /home/nonroot/x
  succeeds nonroot --read-only --tmpfs /srv bb-home touch /srv/x
}

@test "-v, --tmpfs, named volumes, -w, -e" {
  install -d -o 65532 "$BATS_TEST_TMPDIR/data"
  succeeds nonroot -v "$BATS_TEST_TMPDIR/data:/data" bb sh -c 'echo x >/data/x'
  [[ $(stat -c %u:%g "$BATS_TEST_TMPDIR/data/x") == 65532:65532 ]] || explain 'expected a file of its own'
  # A fresh named volume is made as root's, and given; one with something in it stays whose it was.
  succeeds nonroot -v named:/data bb sh -c 'echo x >/data/x && stat -c %u /data /data/x'
  [[ $OUT == $'65532\n65532' ]] || explain 'expected an empty volume to be given'
  chown -R 0:0 "$(docker volume inspect -f '{{.Mountpoint}}' named)"
  succeeds nonroot -v named:/data bb stat -c %u /data /data/x
  [[ $OUT == $'0\n0' ]] || explain 'expected a used volume to stay'
  docker volume rm named >/dev/null
  succeeds nonroot bb-volume stat -c %u /data
  # What the engine copied into a volume from the image is given once, as long as it is all that is in there.
  image_with_log | docker import - bb-log >/dev/null
  succeeds nonroot -v log:/var/log/app bb-log sh -c 'stat -c %u:%g /var/log/app /var/log/app/a.log && echo line >>/var/log/app/a.log'
  [[ $OUT == $'65532:4\n65532:4' ]] || explain 'expected the copied files to be given'
  chown -R 88:4 "$(docker volume inspect -f '{{.Mountpoint}}' log)"
  succeeds nonroot -v log:/var/log/app bb-log stat -c %u:%g /var/log/app /var/log/app/a.log
  [[ $OUT == $'88:4\n88:4' ]] || explain 'expected a written volume to stay'
  docker volume rm log >/dev/null
  succeeds nonroot --tmpfs /scratch bb sh -c 'echo x >/scratch/x'
  succeeds nonroot -w /tmp/here -e A=b bb sh -c 'echo "$PWD $A"'
  [[ $OUT == '/tmp/here b' ]] || explain 'expected the working directory'
}

@test "a volume at home stays" {
  install -d -o 65532 "$BATS_TEST_TMPDIR/home"
  succeeds nonroot -v "$BATS_TEST_TMPDIR/home:/home/nonroot" bb sh -c 'echo x >/home/nonroot/x'
  [[ -e $BATS_TEST_TMPDIR/home/x ]] || explain 'expected the file on the host'
}

@test "volumes of root's home, and at the home's place, are found again; HOME on a volume stays" {
  local cache='mkdir -p ~/.cache && echo 1 >>~/.cache/m && wc -l <~/.cache/m; echo "$HOME $USER"'
  local run
  for run in 1 2; do
    succeeds nonroot -v cache:/root/.cache bb sh -c "$cache"
    [[ $OUT == $run$'\n/root nonroot' ]] || explain "expected the cache of run $run"
    succeeds nonroot -v roots:/root bb sh -c "$cache"
    [[ $OUT == $run$'\n/root nonroot' ]] || explain "expected root's home of run $run"
    succeeds nonroot -v homes:/home/nonroot bb sh -c "$cache"
    [[ $OUT == $run$'\n/home/nonroot nonroot' ]] || explain "expected the home of run $run"
    succeeds nonroot -e HOME=/data -e USER=alice -v data:/data bb sh -c "$cache"
    [[ $OUT == $run$'\n/data alice' ]] || explain "expected HOME of run $run"
  done
  succeeds nonroot -u 65532:65532 -v homes:/home/nonroot bb sh -c "$cache"
  [[ $OUT == $'3\n/home/nonroot nonroot' ]] || explain 'expected the volume of who asks to be who he is'
  # A restart changes nothing of it.
  docker run -d --name box -v cache:/root/.cache bb sh -c 'echo "$HOME"; exec sleep 1000' >/dev/null
  docker restart -t 1 box >/dev/null
  [[ $(docker logs box) == $'/root\n/root' ]] || explain 'expected the home at each start' "$(docker logs box)"
  succeeds docker exec -e HOME=/tmp/h -e USER=joe box sh -c 'echo "$HOME $USER"'
  [[ $OUT == '/tmp/h joe' ]]
  succeeds docker exec box sh -c 'echo "$HOME $USER"'
  [[ $OUT == '/root nonroot' ]]
  docker rm -f box >/dev/null
  docker volume rm cache roots homes data >/dev/null
}

@test "a device and its group stay with who is not root, a privileged group does not" {
  local node
  # A host's node that stands for a serial line.
  mknod -m 660 /dev/ttyNONROOT c 1 5
  chgrp 20 /dev/ttyNONROOT
  for node in bare nonroot; do
    succeeds "$node" --user 1004:1004 --group-add 20 --device /dev/ttyNONROOT bb sh -c 'id -G; head -c 1 /dev/ttyNONROOT | wc -c'
    [[ $OUT == '1004 20'$'\n1' ]] || explain "expected the device by $node"
  done
  shows 'nonroot(1004; 1004) and (.Groups | all(. != 6))' nonroot --user 1004:1004 --group-add 6 --device /dev/ttyNONROOT bb probe
}

@test "networks: the default bridge and one of the user's own" {
  succeeds nonroot bb ip -o -4 addr show eth0
  contains 'inet 172.17.'
  docker network create own >/dev/null
  docker run -d --name server --network own bb sh -c 'mkdir -p /tmp/w && echo hello >/tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w' >/dev/null
  await docker run --rm --network own bb wget -qO- http://server:8080/
  docker rm --force server >/dev/null
  docker network rm own >/dev/null
}

@test "restart, stop, start, pause, logs, top, cp, commit" {
  docker run -d --name box bb sh -c 'id -u; exec probe pause' >/dev/null
  docker restart --time 1 box >/dev/null
  docker stop --time 1 box >/dev/null
  docker start box >/dev/null
  shows nonroot docker exec -u 0 box probe
  docker pause box >/dev/null
  docker unpause box >/dev/null
  docker top box | grep -q probe
  succeeds docker logs box
  [[ $OUT == $'65532\n65532\n65532' ]] || explain 'expected one line for each start'
  docker exec box sh -c 'echo mine >/tmp/mine'
  docker cp box:/tmp/mine "$BATS_TEST_TMPDIR/mine"
  [[ $(<"$BATS_TEST_TMPDIR/mine") == mine ]]
  docker commit box committed >/dev/null
  shows nonroot nonroot committed probe
  docker update --memory 128m --memory-swap 128m box >/dev/null
}

@test "exit codes are the bare runtime's" {
  same_exit_codes bb
  fails_with 127 bare bb /no/such/program
  fails_with 127 nonroot bb /no/such/program
  fails_with 126 bare bb /etc/passwd
  fails_with 126 nonroot bb /etc/passwd
}

@test "signals: kill ends with 137, stop with what the process makes of SIGTERM" {
  local runtime
  for runtime in runc nonroot; do
    docker run -d --name killed --runtime "$runtime" bb probe pause >/dev/null
    docker kill killed >/dev/null
    [[ $(docker wait killed) == 137 ]] || explain "$runtime: expected 137"
    docker run -d --name stopped --runtime "$runtime" bb sh -c 'trap "exit 7" TERM; echo ready; while :; do sleep 0.1; done' >/dev/null
    await eval '[[ $(docker logs stopped) == ready ]]'
    docker stop stopped >/dev/null
    [[ $(docker wait stopped) == 7 ]] || explain "$runtime: expected 7"
    no_containers
  done
}

@test "compose: two services, one by the default runtime, which the other by its name reaches" {
  mkdir "$BATS_TEST_TMPDIR/project"
  cd "$BATS_TEST_TMPDIR/project"
  cat >docker-compose.yml <<'YAML'
version: "2.4"
services:
  server:
    image: bb
    command: sh -c 'mkdir -p /tmp/w && id -u >/tmp/w/index.html && exec httpd -f -p 8080 -h /tmp/w'
  client:
    image: bb
    runtime: nonroot
    depends_on: [server]
    command: sh -c 'until wget -qO- http://server:8080/; do :; done; id -u'
YAML
  compose up -d
  [[ $(docker wait project_client_1 2>/dev/null || docker wait project-client-1) == 0 ]]
  succeeds compose logs --no-color client
  [[ $(grep -c 65532 <<<"$OUT") == 2 ]] || explain 'expected both to be nobody'\''s root'
  compose down --timeout 1
}

@test "D7: a container that was created before, and started after" {
  # Docker keeps the name of the runtime that a container was created with (F9).
  docker create --name old --runtime runc bb probe >/dev/null
  shows root docker start -a old
  docker create --name new bb probe >/dev/null
  shows nonroot docker start -a new
}

@test "a refusal is read where docker runs" {
  policy <<<'mode = "refuse"'
  fails_with 125 nonroot bb probe
  [[ $ERR == *'nonroot-runc: container'*'asks for root'*'set USER in its image'* ]] || explain 'expected advice'
  shows 'nonroot(33; 33)' nonroot bb-user probe
  docker run -d --name box bb-user probe pause >/dev/null
  says docker exec -u 0 box probe
  [[ $STATUS != 0 && $OUT$ERR == *'this exec asks for root'* ]] || explain 'expected advice'
}

@test "a broken policy starts nothing, and stops no kill" {
  box
  policy <<<'no_such_key = 1'
  fails_with 125 nonroot bb probe
  [[ $ERR == *'config.toml:1:1: unknown key "no_such_key"'* ]] || explain 'expected the place'
  docker stop --time 1 box >/dev/null
  docker rm box >/dev/null
  docker_left_nothing
}

@test "audit and off: the container runs as it would have" {
  policy <<<'mode = "audit"'
  shows root nonroot bb probe
  policy <<<$'mode = "off"\nreason = "a test"'
  shows root nonroot bb probe
}

# What docs/engines.md says of builds.
@test "F8: the classic builder runs as nobody's root, BuildKit as root" {
  mkdir "$BATS_TEST_TMPDIR/build"
  printf 'FROM bb\nRUN id -u >/tmp/id\n' >"$BATS_TEST_TMPDIR/build/Dockerfile"
  DOCKER_BUILDKIT=0 docker build -q -t classic "$BATS_TEST_TMPDIR/build" >/dev/null
  succeeds nonroot classic cat /tmp/id
  [[ $OUT == 65532 ]] || explain 'expected the default runtime'
  DOCKER_BUILDKIT=1 docker build -q -t kit "$BATS_TEST_TMPDIR/build" >/dev/null
  succeeds nonroot kit cat /tmp/id
  [[ $OUT == 0 ]] || explain 'expected that BuildKit asks nobody'
}

# host lists what the machine has outside of Docker's own directories, and of those in which others of the machine may be at work,
# with owners and modes.
host() {
  find /etc /usr /root /home /var /srv /opt /media /mnt "$BATS_TEST_TMPDIR/binds" \( -path /var/lib/docker -o -path /root/go -o -path /root/.cache \
    -o -path /root/.config -o -path /var/tmp -o -path /var/log \) -prune -o -printf '%p %U:%G %m\n' | LC_ALL=C sort
}

@test "C12: what is given is the container's: nothing else of the machine changes" {
  mkdir -p "$BATS_TEST_TMPDIR/image/var/lib/app" "$BATS_TEST_TMPDIR/image/app" "$BATS_TEST_TMPDIR/binds/lib/app" "$BATS_TEST_TMPDIR/binds/data"
  ln -s ../../../../../../etc "$BATS_TEST_TMPDIR/image/var/lib/up"
  touch "$BATS_TEST_TMPDIR/image/var/lib/app/state" "$BATS_TEST_TMPDIR/binds/lib/app/state" "$BATS_TEST_TMPDIR/binds/data/x"
  cp -a "$NONROOT_BATS_KIT/." "$BATS_TEST_TMPDIR/image"
  tar -C "$BATS_TEST_TMPDIR/image" -c . | docker import --change 'WORKDIR /app' - bb-app >/dev/null
  host >"$BATS_TEST_TMPDIR/before"
  # The same with the bare runtime: what Docker itself changes is not among these.
  docker run --rm --runtime runc -v "$BATS_TEST_TMPDIR/binds/data:/data" bb-app true
  host | diff "$BATS_TEST_TMPDIR/before" - || explain 'expected Docker to change nothing there'
  succeeds nonroot -v "$BATS_TEST_TMPDIR/binds/data:/data" -v "$BATS_TEST_TMPDIR/binds/lib:/var/cache" bb-app \
    sh -c 'echo x >>/var/lib/app/state && echo x >here && echo x >/var/lib/new && stat -c %u /var/lib/app /app'
  [[ $OUT == $'65532\n65532' ]] || explain 'expected what is the image'"'"'s to be given'
  host | diff "$BATS_TEST_TMPDIR/before" - || explain 'expected nothing else to change'
  # Nor is the image itself another one.
  succeeds docker run --rm --runtime runc bb-app stat -c %u /var/lib/app /app
  [[ $OUT == $'0\n0' ]] || explain 'expected the image as it was'
}

@test "nonroot-ctl learn: what a container is denied from its start on, and what would give it" {
  local learned=$BATS_TEST_TMPDIR/learned own
  docker volume create used >/dev/null
  touch "$(docker volume inspect -f '{{.Mountpoint}}' used)/x"
  succeeds nonroot-ctl learn --json --output "$learned" -- docker run --rm --runtime nonroot -v used:/used bb sh -c 'mkdir /export; echo x >/home/x; echo x >/used/y; cat /etc/shadow-; echo ran'
  contains ran
  jq -e '(.late | not) and .ended' "$learned" || explain "$(<"$learned")"
  jq -e 'any(.findings[]; .kind == "directory" and .what == "/home")' "$learned" || explain "$(<"$learned")"
  jq -e 'any(.findings[]; .kind == "mount" and .what == "/used" and (.why | contains("volumes/used/_data")))' "$learned" || explain "$(<"$learned")"
  own=$(jq -r '.policy[0]' "$learned")
  policy <<<"$own"
  succeeds nonroot bb sh -c 'echo x >/home/x && echo written'
  contains written
  docker volume rm used >/dev/null
  # A container in the background is watched for a time, and goes on.
  succeeds nonroot-ctl learn --for 1s --json --output "$learned" -- docker run -d --runtime nonroot --name box bb sh -c 'echo x >/etc/x; exec probe pause'
  jq -e '(.late | not) and (.ended | not) and .findings[0].kind == "image"' "$learned" || explain "$(<"$learned")"
  shows nonroot docker exec box probe
}

@test "nonroot-ctl learn: Ctrl-C reaches the container, and that it ended is said" {
  local learned=$BATS_TEST_TMPDIR/learned pid first
  # A group of its own takes the interrupt, as that of a terminal would.
  setsid nonroot-ctl learn --json --output "$learned" -- docker run --rm --runtime nonroot --name box bb \
    sh -c 'trap "exit 3" INT; echo x >/etc/x; while :; do sleep 0.1; done' </dev/null >/dev/null 2>&1 3>&- &
  pid=$!
  await docker exec box true
  first=$(docker inspect -f '{{.State.Pid}}' box)
  await grep -q '^TracerPid:.[1-9]' "/proc/$first/status"
  kill -INT -- "-$pid"
  wait "$pid"
  jq -e '.ended and (.status | startswith("it ended"))' "$learned" || explain "$(<"$learned")"
}

@test "nothing is left of containers that are gone" {
  shows nonroot nonroot bb probe
  box
  [[ -e $(echo /run/docker/containerd/daemon/io.containerd.runtime.v2.task/moby/*/nonroot-runc.json) ]] || explain 'expected a record'
  docker rm --force box >/dev/null
  docker_left_nothing
}

@test "H8: a restart keeps who it was, whoever has taken its empty volume since" {
  docker run -d --name box -v shared:/state bb sh -c 'id -u; sleep 100' >/dev/null
  succeeds nonroot --user 1000:1000 -v shared:/state bb touch /state/x
  docker restart -t 0 box >/dev/null
  await eval '[[ $(docker logs box | wc -l) == 2 ]]'
  [[ $(docker logs box) == $'65532\n65532' ]] || explain "it was $(docker logs box)"
  # One that is new is of the volume's owner.
  succeeds nonroot -v shared:/state bb id -u
  [[ $OUT == 1000 ]] || explain 'expected the owner'
  docker rm -f box >/dev/null
  docker volume rm shared >/dev/null
}

@test "H9: new volumes of thousands of files, which Docker has just filled, are the identity's at their top" {
  local dir=$BATS_TEST_TMPDIR/app flag
  mkdir -p "$dir/app"
  for i in {1..2000}; do mkdir "$dir/app/m$i" && echo "$i" >"$dir/app/m$i/index.js"; done
  tar -C "$NONROOT_BATS_KIT" -cf "$dir.tar" .
  tar -C "$dir" -rf "$dir.tar" app
  docker import "$dir.tar" bb-app >/dev/null
  for flag in /app named:/app; do
    succeeds nonroot -v "$flag" bb-app sh -c 'mkdir /app/.vite && echo made'
    contains made
  done
  docker volume rm named >/dev/null
  docker rmi bb-app >/dev/null
}

@test "H10: Swarm's secrets can be read by the identity, by their mode" {
  succeeds docker swarm init --advertise-addr 127.0.0.1
  printf hidden | docker secret create s1 - >/dev/null
  docker service create -d --name reader --restart-condition none --secret source=s1,target=s1,mode=0400 bb sh -c 'id -u; cat /run/secrets/s1' >/dev/null
  await eval '[[ -n $(docker ps -aq --filter label=com.docker.swarm.service.name=reader --filter status=exited) ]]'
  local id
  id=$(docker ps -aq --filter label=com.docker.swarm.service.name=reader | head -1)
  [[ $(docker logs "$id") == $'65532\nhidden' ]] || explain "it said $(docker logs "$id" 2>&1)"
  docker service rm reader >/dev/null
  docker swarm leave --force
}

@test "H11: a sidecar by --pid and by Compose's pid is who its service is, and signals it" {
  docker run -d --name service --user 1700:1700 bb probe pause >/dev/null
  succeeds bare --pid container:service bb kill -0 1
  succeeds nonroot --pid container:service bb sh -c 'kill -0 1 && id -u && id -g'
  [[ $OUT == $'1700\n1700' ]] || explain 'expected the user of the service'
  # The host's processes are nobody's to join.
  succeeds nonroot --pid host bb id -u
  [[ $OUT == 65532 ]] || explain 'expected the fixed identity'
  docker rm -f service >/dev/null
  docker run -d --name service --pid host --user 1700:1700 bb probe pause >/dev/null
  succeeds nonroot --pid container:service bb id -u
  [[ $OUT == 65532 ]] || explain 'expected the fixed identity beside one that has the processes of the host'
  docker rm -f service >/dev/null
  mkdir -p "$BATS_TEST_TMPDIR/project"
  cat >"$BATS_TEST_TMPDIR/project/docker-compose.yml" <<'YAML'
version: "3"
services:
  web:
    image: bb
    user: "1700"
    command: probe pause
  reload:
    image: bb
    pid: service:web
    command: sh -c 'kill -0 1 && id -u'
YAML
  cd "$BATS_TEST_TMPDIR/project"
  succeeds compose up -d
  await ended_well reload
  [[ $(docker logs "$(compose ps -q reload)") == 1700 ]] || explain 'expected the user of the service'
  compose down --timeout 1
}

@test "H12: compose: a service that prepares a volume for another one's user, also when both are started again" {
  mkdir -p "$BATS_TEST_TMPDIR/steps"
  cat >"$BATS_TEST_TMPDIR/steps/docker-compose.yml" <<'YAML'
version: "3"
volumes:
  data: {}
services:
  step:
    image: bb
    user: root
    command: sh -ec 'mkdir -p /data/store; chown -R 1500:1500 /data; chmod -R 777 /data'
    volumes: ["data:/data"]
  app:
    image: bb
    user: "1500:1500"
    command: sh -ec 'umask 077; echo x >>/data/store/x; probe pause'
    volumes: ["data:/data"]
YAML
  cd "$BATS_TEST_TMPDIR/steps"
  local round
  for round in 1 2; do
    succeeds compose up -d step
    await ended_well step
    succeeds compose up -d app
    await written "$round"
    compose stop --timeout 1
  done
  # The same step once more, in a container of its own.
  compose down --timeout 1
  succeeds compose up -d step
  await ended_well step
  compose down --timeout 1 --volumes
}

# written LINES: the application has written as often.
written() { [[ $(docker exec "$(compose ps -q app)" wc -l /data/store/x) == "$1 "* ]]; }

# ended_well SERVICE: its container has ended, and well.
ended_well() { [[ $(docker inspect -f '{{.State.Status}} {{.State.ExitCode}}' "$(compose ps -a -q "$1" 2>/dev/null || compose ps -q "$1")") == 'exited 0' ]]; }

@test "H14: volumes adopt: whose a volume from before is, by the containers that have it; not while one runs" {
  docker volume create before >/dev/null
  bare -v before:/data bb sh -c 'echo old >/data/x; chmod 600 /data/x'
  local ctl=(nonroot-ctl volumes adopt)
  fails_with 1 "${ctl[@]}" before
  [[ $ERR == *'no container of Docker'*'hint: '*'--user UID:GID'* ]] || explain 'expected the option'
  # Anybody can leave a container there that names its own user.
  docker run --name sly -v before:/data bb sh -c 'chown 5000:5000 /data'
  fails_with 1 "${ctl[@]}" before
  [[ $ERR == *'"sly" is 5000:5000 by its command'*'--user UID:GID'* ]] || explain 'expected that it has no say'
  docker rm sly >/dev/null
  docker run -d --name app -v before:/data bb probe pause >/dev/null
  fails_with 1 docker exec app cat /data/x
  fails_with 1 "${ctl[@]}" before
  [[ $ERR == *'"app"'*'which is running'*'--force'* ]] || explain 'expected the container that runs'
  docker stop --time 1 app >/dev/null
  docker run --name reader --user 1000:1000 -v before:/data bb true
  fails_with 1 "${ctl[@]}" before
  [[ $ERR == *'"app" is 65532:65532, "reader" asks for 1000:1000 itself'* ]] || explain 'expected both'
  docker rm reader >/dev/null
  succeeds "${ctl[@]}" --dry-run before
  contains 'would change the owner of 2 files'
  succeeds "${ctl[@]}" before
  docker start app >/dev/null
  succeeds docker exec app cat /data/x
  [[ $OUT == old ]]
  # Two who do not agree.
  docker rm -f app >/dev/null
  docker volume rm before >/dev/null
  docker volume create before >/dev/null
  bare -v before:/data bb sh -c 'echo old >/data/x'
  docker create --name one -v before:/data bb true >/dev/null
  docker start -a one
  policy <<<'identity.uid = 70000'
  docker run --name two -v before:/data bb true
  fails_with 1 "${ctl[@]}" before
  [[ $ERR == *'"one" is 65532:65532'*'"two" is 70000:65532'*'--user'* ]] || explain 'expected both'
  no_policy
  succeeds "${ctl[@]}" --user 1234:1234 before
  docker rm -f one two >/dev/null
  docker volume rm before >/dev/null
  # One that is only audited is who it would be, by the log.
  docker volume create before >/dev/null
  policy <<TOML
mode = "audit"
log.file = "$BATS_TEST_TMPDIR/decisions.log"
TOML
  docker run --name audited -v before:/data bb sh -c 'echo old >/data/x'
  succeeds "${ctl[@]}" --dry-run before
  contains 'would change the owner of 2 files'
  policy <<<'mode = "audit"'
  fails_with 1 "${ctl[@]}" before
  [[ $ERR == *'"audited" is not known'* ]] || explain 'expected that nobody knows'
  no_policy
  docker rm audited >/dev/null
  docker volume rm before >/dev/null
  # An anonymous one, by the beginning of its name.
  docker run --name anonymous --runtime runc bb-volume touch /data/x
  local name
  name=$(docker inspect -f '{{(index .Mounts 0).Name}}' anonymous)
  fails_with 1 "${ctl[@]}" --user 1234:1234 "${name:0:11}"
  succeeds "${ctl[@]}" --user 1234:1234 "${name:0:12}"
  contains 'changed the owner of 2 files'
}
