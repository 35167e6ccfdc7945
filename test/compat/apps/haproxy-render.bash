# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A balancer whose configuration is rendered beside it; it also writes a socket for its state.

kind='configuration at start'
volumes=0
images() {
  image balancer <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends haproxy
RUN mkdir -p /usr/local/etc/haproxy
COPY haproxy.cfg.in /usr/local/share/
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file balancer haproxy.cfg.in 644 <<'CFG'
global
  stats socket /var/run/haproxy/admin.sock mode 660
  pidfile /var/run/haproxy.pid
defaults
  mode http
  timeout connect 2s
  timeout client 5s
  timeout server 5s
frontend web
  bind :80
  http-request return status 200 content-type text/plain string "$GREETING"
CFG
  file balancer start.sh <<'SH'
#!/bin/sh
set -eu
mkdir -p /var/run/haproxy
envsubst </usr/local/share/haproxy.cfg.in >/usr/local/etc/haproxy/haproxy.cfg
chown haproxy:haproxy /var/run/haproxy
haproxy -c -f /usr/local/etc/haproxy/haproxy.cfg
exec haproxy -W -db -f /usr/local/etc/haproxy/haproxy.cfg
SH
}
start() { run balancer balancer -e GREETING=rendered; }
check() { get balancer / 80 | says rendered && inside balancer test -S /var/run/haproxy/admin.sock; }
kept() { check; }
