# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# What the definitions of entries are written with. An entry is a directory with a Dockerfile, as its author writes it for root,
# and entry.bash, which sets:
#
#   kind=...        what sort of program it is
#   flags=(...)     of `docker run`; $BOX is the container's name, and volumes are named "$BOX-..."
#   command=(...)   in place of the image's own
#   job=1           it does its work and ends with 0; else it is a server
#   check()         succeeds as soon as the server answers, or if the job's output ($LOGS) is right. After the restart, too.
#   kept()          after the restart: what the first check() wrote is still there
#   prepare DIR     adds to the build's directory what comes from npm or from Go
#   by_design=...   why it cannot work without root. It must then fail, and say something that hint matches
#   hint=...        a pattern of the output that tells the user why; without one, the program says nothing of use
#   gap=...         why it does not work yet. It must then fail

# kit_timeout bounds each single request; how often check() is tried is up to the caller.
kit_timeout=5

# get PATH [PORT] [CURL-FLAG...] prints what the server answers to the outside.
get() {
  local path=$1 port=${2:-80}
  shift $(($# < 2 ? $# : 2))
  curl -fsS --max-time "$kit_timeout" "$@" "http://$IP:$port$path" 2>/dev/null
}

# says PATTERN reads all of stdin, and succeeds if a line matches.
says() { grep -E -- "$1" >/dev/null; }

# talk PORT TEXT sends the text (printf's escapes) and prints what comes back until the server closes or is silent.
talk() {
  timeout "$kit_timeout" bash -c 'exec 3<>"/dev/tcp/$1/$2" && printf "$3" >&3 && while IFS= read -r -t 0.3 line <&3; do printf "%s\n" "$line"; done; printf "%s\n" "$line"' \
    talk "$IP" "$1" "$2" 2>/dev/null
}

# inside COMMAND... runs it in the container, as `docker exec` does.
inside() { timeout "$((kit_timeout * 4))" docker exec "$BOX" "$@" 2>/dev/null; }

# within COMMAND... runs the machine's command in the container's network.
within() { timeout "$kit_timeout" nsenter --net --target "$PID" -- "$@" 2>/dev/null; }
