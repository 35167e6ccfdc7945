# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As a vendor of hardened images has it: no root, everything below one directory that group 0 may write, the configuration copied
# and edited at start.

kind='group 0'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends redis-server
RUN mkdir -p /vendor/redis/etc /vendor/redis/default.etc /vendor/redis/data /vendor/redis/tmp && \
    printf 'port 6379\nprotected-mode no\ndir /vendor/redis/data\nappendonly no\n' >/vendor/redis/default.etc/redis.conf && \
    chmod -R g+rwX /vendor/redis
COPY entrypoint.sh /vendor/
VOLUME /vendor/redis/data
USER 1001
ENTRYPOINT ["/vendor/entrypoint.sh"]
DOCKERFILE
  file app entrypoint.sh <<'SH'
#!/bin/bash
set -o errexit
set -o nounset
set -o pipefail
conf=/vendor/redis/etc/redis.conf
[[ -f $conf ]] || cp /vendor/redis/default.etc/redis.conf "$conf"
grep -q '^pidfile' "$conf" || printf 'pidfile /vendor/redis/tmp/redis.pid\n' >>"$conf"
sed -i 's/^appendonly .*/appendonly yes/' "$conf"
exec redis-server "$conf" --daemonize no
SH
}
start() { run db app -v "$BOX-data:/vendor/redis/data"; }
check() { inside db redis-cli SET "round-$ROUND" yes && inside db redis-cli SAVE | says '^OK'; }
kept() { inside db redis-cli GET round-1 | says '^yes'; }
adopt=1
