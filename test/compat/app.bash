# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the definitions of applications are written with. An application is a file apps/NAME.bash, which sets:
#
#   kind=...        what about it expects root
#   images()        its images, made with `image` and `file`, FROM compat/base; without it, it needs that one alone
#   start()         starts its containers with `run`, `job` and `compose`; also the second time, on the volumes of the first
#   check()         succeeds as soon as it works. It is tried until it does, and leaves something that has ROUND in its name
#   kept()          what check() left in the first round is still there
#   volumes=0       nothing outlives its containers: it has no second start and no upgrade
#   seconds=20      how long its check may take as non-root; twice as long as root
#   adopt=1         a volume from before has to be adopted. The first start says so, and the command that it names mends it
#   by_design=...   why it cannot work without root. It must then fail, and say something that hint matches
#   gap=...         why it does not work yet. It must then fail
#   hint=...        a pattern of what the user reads: its output, the engine's message or a note of the decision
#
# BOX is a prefix for the names of its containers and volumes, ROUND counts the starts, and SHARED is a directory of the host
# that outlives the containers. Lines of functions are joined by &&: what fails in the middle of one counts.

# --- images, for test/compat/context: CONTEXT is where they go.

# image NAME reads a Dockerfile. It is compat/APP-NAME then.
image() {
  mkdir -p "$CONTEXT/$1"
  cat >"$CONTEXT/$1/Dockerfile"
}

# file IMAGE NAME [MODE] reads a file that the Dockerfile copies.
file() {
  mkdir -p "$CONTEXT/$1"
  cat >"$CONTEXT/$1/$2"
  chmod "${3:-755}" "$CONTEXT/$1/$2"
}

# --- containers, for test/compat/run-apps.

# named IMAGE prints how Docker calls an image of this application, or the base.
named() { if [[ $1 == base ]]; then echo compat/base; else echo "compat/$APP-$1"; fi; }

# run SERVICE IMAGE [FLAG...] [-- COMMAND...] starts a container that stays.
run() { launch "$@" && SERVICES+=("$BOX-$1"); }

# job SERVICE IMAGE [FLAG...] [-- COMMAND...] starts one and waits for its end, which must be a good one. LOGS is its output.
job() {
  local code
  launch "$@" || return 1
  code=$(timeout 60 docker wait "$BOX-$1") || code=none
  # shellcheck disable=SC2034 # check reads it
  LOGS=$(docker logs "$BOX-$1" 2>&1)
  [[ $code == 0 ]] || { WHY="$1 ends with $code" && return 1; }
}

# launch is both.
launch() {
  local service=$1 image=$2 flags=() id
  shift 2
  while [[ $# -gt 0 && $1 != -- ]]; do flags+=("$1") && shift; done
  [[ $# -eq 0 ]] || shift
  # A job's container is still there from before the restart.
  if ! id=$(docker create --name "$BOX-$service" --runtime "$RUNTIME" "${flags[@]}" "$(named "$image")" "$@" 2>>"$SEEN.log") ||
    ! printf '%s %s\n' "$id" "$service" >>"$SEEN.containers" || ! docker start "$id" >/dev/null 2>>"$SEEN.log"; then
    # shellcheck disable=SC2034 # run-apps reads it
    WHY="$service does not start"
    return 1
  fi
}

# compose reads a Compose file, and starts it as `docker-compose up` does. Each service says `runtime: $RUNTIME` and
# `container_name: $BOX-SERVICE`; the shell that reads the file knows both.
compose() {
  local id name running
  docker-compose --project-name "$BOX" --file - up -d 2>>"$SEEN.log" || WHY='compose does not start it'
  while read -r id name running; do
    printf '%s %s\n' "$id" "${name#"$BOX-"}" >>"$SEEN.containers"
    [[ $running != running ]] || SERVICES+=("$name")
  done < <(docker ps -a --no-trunc --filter "label=com.docker.compose.project=$BOX" --format '{{.ID}} {{.Names}} {{.State}}')
  [[ -z $WHY ]]
}

# inside SERVICE COMMAND... runs it there, as `docker exec` does.
inside() {
  local service=$1
  shift
  timeout 20 docker exec "$BOX-$service" "$@"
}

# feed SERVICE COMMAND... is the same with stdin, as scripts restore a dump.
feed() {
  local service=$1
  shift
  timeout 20 docker exec -i "$BOX-$service" "$@"
}

# address SERVICE prints where it answers.
address() { docker inspect --format '{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}' "$BOX-$1"; }

# get SERVICE PATH [PORT] [CURL-FLAG...] prints what a server answers to the outside.
get() {
  local url
  url=http://$(address "$1"):${3:-8080}$2
  shift $(($# < 3 ? $# : 3))
  curl -fsS --max-time 5 "$@" "$url"
}

# put SERVICE PATH TEXT [PORT]
put() { get "$1" "$2" "${4:-8080}" --request PUT --data-binary "$3"; }

# says PATTERN reads all of stdin, and succeeds if a line matches.
says() { grep -E -- "$1" >/dev/null; }

# stores SERVICE [DIR/] and stored SERVICE [DIR/]: `serve` keeps what it is sent in this round, and has that of the first.
stores() { put "$1" "/${2:-}round-$ROUND" "of round $ROUND" && get "$1" "/${2:-}round-$ROUND" | says "^of round $ROUND"; }
stored() { get "$1" "/${2:-}round-1" | says '^of round 1'; }

# logged SERVICE PATTERN: its output so far has it.
logged() { docker logs "$BOX-$1" 2>&1 | says "$2"; }
