# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# TZ is made the machine's zone, as in images of many a hobby.

kind='configuration of the system'
volumes=0
by_design='/etc itself holds what decides who somebody is, and is never given. TZ in the environment does the same for programs of the C library'
hint='/etc/localtime|/etc/timezone'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends tzdata
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file app start.sh <<'SH'
#!/bin/sh
set -e
ln -snf "/usr/share/zoneinfo/$ZONE" /etc/localtime
echo "$ZONE" >/etc/timezone
mkdir -p /run/zone
date +%Z >/run/zone/name
exec serve /run/zone
SH
}
start() { run app app -e ZONE=Asia/Tokyo; }
check() { get app /name | says JST; }
kept() { check; }
