# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Compose: a proxy in front of an application that it knows by name, its configuration rendered, logs on a shared volume.

kind='compose'
images() {
  image proxy <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends nginx-light
RUN rm -f /etc/nginx/sites-enabled/default
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file proxy start.sh <<'SH'
#!/bin/sh
set -e
printf 'server { listen 80; client_max_body_size 1m; access_log /logs/access.log; location / { proxy_pass http://%s:8080; } }\n' "$BACKEND" >/etc/nginx/conf.d/proxy.conf
exec nginx -g 'daemon off;'
SH
}
start() {
  compose <<YAML
version: "2.4"
services:
  app:
    image: compat/base
    container_name: $BOX-app
    runtime: $RUNTIME
    volumes: [data:/data, logs:/logs]
    command: ["sh", "-c", "echo started >>/logs/app.log; exec serve /data"]
  proxy:
    image: compat/$APP-proxy
    container_name: $BOX-proxy
    runtime: $RUNTIME
    depends_on: [app]
    environment: {BACKEND: app}
    volumes: [logs:/logs]
volumes:
  data: {name: $BOX-data}
  logs: {name: $BOX-logs}
YAML
}
check() { stores app && get proxy "/round-$ROUND" 80 | says "of round $ROUND" && inside proxy test -s /logs/access.log; }
kept() { get proxy /round-1 80 | says 'of round 1'; }
adopt=1
