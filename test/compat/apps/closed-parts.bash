# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# An init that runs whatever is in its directory; the parts have mode 0700, and the environment is kept in a closed directory.

kind='closed to others'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /etc/init-parts.d /etc/container_environment && chmod 700 /etc/container_environment
COPY my_init /sbin/my_init
COPY 10-first 20-second /etc/init-parts.d/
CMD ["/sbin/my_init"]
DOCKERFILE
  file app my_init <<'SH'
#!/bin/bash
set -e
for name in HOME PATH; do printf '%s' "${!name}" >"/etc/container_environment/$name"; done
mkdir -p /run/parts
for part in /etc/init-parts.d/*; do "$part"; done
exec serve /run/parts
SH
  file app 10-first 700 <<'SH'
#!/bin/sh
cat /etc/container_environment/PATH >/run/parts/first
SH
  file app 20-second 700 <<'SH'
#!/bin/sh
date >/run/parts/second
SH
}
start() { run app app; }
check() { get app /first | says bin && get app /second && stores app; }
kept() { stored app; }
