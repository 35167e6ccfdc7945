# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As root, it gave its volume to its own account and changed to it: what is on the volume is that account's.

kind='volumes from before'
images() {
  image db <<'DOCKERFILE'
FROM compat/base
RUN useradd --system --uid 999 --user-group store && mkdir /store && chown store:store /store
COPY docker-entrypoint.sh /usr/local/bin/
VOLUME /store
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["serve", "/store"]
DOCKERFILE
  file db docker-entrypoint.sh <<'SH'
#!/bin/sh
set -e
if [ "$(id -u)" = 0 ]; then
  find /store \! -user store -exec chown store '{}' +
  exec gosu store "$0" "$@"
fi
umask 077
exec "$@"
SH
}
start() { run db db -v "$BOX-store:/store"; }
check() { stores db; }
kept() { stored db; }
