# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A monitor with three volumes: configuration, state and cache.

kind='filled volumes'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /etc/monitor/health.d /var/lib/monitor/registry /var/cache/monitor && echo 'interval = 1' >/etc/monitor/monitor.conf && \
    touch /etc/monitor/health.d/cpu.conf && groupadd -g 201 monitor && useradd -u 201 -g 201 monitor && chown -R root:monitor /etc/monitor && \
    chown -R monitor:monitor /var/lib/monitor /var/cache/monitor
COPY run.sh /usr/sbin/
ENTRYPOINT ["/usr/sbin/run.sh"]
DOCKERFILE
  file app run.sh <<'SH'
#!/usr/bin/env bash
set -e
if [ ! -w /etc/monitor ]; then echo "/etc/monitor is not writable" && exit 1; fi
[ -e /etc/monitor/.opt-out ] || touch /etc/monitor/.opt-out
touch /var/cache/monitor/db
exec serve /var/lib/monitor/registry
SH
}
start() { run app app -v "$BOX-etc:/etc/monitor" -v "$BOX-lib:/var/lib/monitor" -v "$BOX-cache:/var/cache/monitor"; }
check() { inside app test -e /etc/monitor/.opt-out && stores app; }
kept() { stored app; }
adopt=1
