# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A health check that the engine runs as root, and that leaves a file of its own.

kind='exec scripts'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /srv/data
HEALTHCHECK --interval=1s --timeout=5s --retries=2 CMD date >/run/health && chown root:root /run/health && test -w /srv/data/.lock
CMD ["serve", "/srv/data"]
DOCKERFILE
}
start() { run app app; }
check() { [[ $(docker inspect --format '{{.State.Health.Status}}' "$BOX-app") == healthy ]] && stores app; }
kept() { stored app; }
