# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A sidecar watches the configuration and signals the program, whose process namespace it joins; it is another image.

kind='sidecars'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 1700 --user-group proxy-user
CMD ["serve", "/data"]
DOCKERFILE
}
start() {
  run app app -v "$BOX-data:/data" &&
    run sidecar base --pid "container:$BOX-app" -v "$BOX-data:/data" -- sh -c 'trap "exit 0" TERM; while :; do kill -HUP 1 && echo signalled; sleep 0.5; done'
}
check() { get app /reloaded | says reloaded && stores app; }
kept() { stored app; }
adopt=1
