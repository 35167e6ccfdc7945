# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As images for homes have it: everything in /config, which the image makes at the top.

kind='top-level directories'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /config /defaults && echo 'theme = dark' >/defaults/settings.ini
COPY init /init
VOLUME /config
ENTRYPOINT ["/init"]
DOCKERFILE
  file app init <<'SH'
#!/bin/sh
set -e
mkdir -p /config/log /config/db
[ -e /config/settings.ini ] || cp /defaults/settings.ini /config/settings.ini
chmod 600 /config/settings.ini
exec serve /config/db
SH
}
start() { run app app -v "$BOX-config:/config"; }
check() { inside app grep -q theme /config/settings.ini && stores app; }
kept() { stored app; }
adopt=1
