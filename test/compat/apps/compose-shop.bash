# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Compose: a step that prepares directories, a worker and a web application of two images that share uploads, and a cache.

kind='compose'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 1000 --user-group app && mkdir -p /srv/app
COPY entrypoint.sh /
ENTRYPOINT ["/entrypoint.sh"]
DOCKERFILE
  file app entrypoint.sh <<'SH'
#!/bin/sh
set -e
mkdir -p /uploads/incoming
chown -R app:app /uploads
exec "$@"
SH
  image cache <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends redis-server
CMD ["redis-server", "--protected-mode", "no", "--dir", "/data", "--appendonly", "yes"]
DOCKERFILE
}
start() {
  compose <<YAML
version: "2.4"
services:
  cache:
    image: compat/$APP-cache
    container_name: $BOX-cache
    runtime: $RUNTIME
    volumes: [cache:/data]
  web:
    image: compat/$APP-app
    container_name: $BOX-web
    runtime: $RUNTIME
    depends_on: [cache]
    volumes: [uploads:/uploads]
    command: [serve, /uploads/incoming]
  worker:
    image: compat/base
    container_name: $BOX-worker
    runtime: $RUNTIME
    depends_on: [web]
    volumes: [uploads:/uploads]
    command: ["sh", "-c", "trap 'exit 0' TERM; mkdir -p /uploads/done; while :; do cp /uploads/incoming/round-* /uploads/done/ 2>/dev/null; sleep 0.2; done"]
volumes:
  cache: {name: $BOX-cache}
  uploads: {name: $BOX-uploads}
YAML
}
check() {
  stores web && inside web test -s "/uploads/done/round-$ROUND" &&
    inside cache redis-cli SET "round-$ROUND" yes && inside cache redis-cli SAVE | says '^OK'
}
kept() { stored web && inside cache redis-cli GET round-1 | says '^yes'; }
adopt=1
