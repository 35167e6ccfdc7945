# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# PUID and PGID, as images for homes know them: usermod, chown, then the program as that user; the script goes on where one fails.

kind='accounts'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 911 --user-group --home-dir /config --shell /bin/false abc && mkdir -p /app /config /defaults
COPY init-adduser /
COPY init /init
VOLUME /config
ENTRYPOINT ["/init"]
DOCKERFILE
  file app init-adduser <<'SH'
#!/bin/bash
PUID=${PUID:-911}
PGID=${PGID:-911}
groupmod -o -g "$PGID" abc
usermod -o -u "$PUID" abc
echo "User UID: $(id -u abc), user GID: $(id -g abc)"
chown abc:abc /app /config /defaults
SH
  file app init <<'SH'
#!/bin/sh
/init-adduser
mkdir -p /config/state
chown -R abc:abc /config
if [ "$(id -u)" = 0 ]; then
  exec gosu abc serve /config/state
fi
exec serve /config/state
SH
}
start() { run app app -v "$BOX-config:/config" -e PUID=1000 -e PGID=1000; }
check() { stores app; }
kept() { stored app; }
