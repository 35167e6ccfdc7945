# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A read-only root, a volume for the data, and a tmpfs with a mode of its own.

kind='read-only'
adopt=1
images() {
  image db <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends redis-server
RUN mkdir /state
CMD ["sh", "-ec", "echo 'dir /state' >/run/redis/redis.conf; exec redis-server /run/redis/redis.conf --protected-mode no"]
DOCKERFILE
}
start() { run db db --read-only --tmpfs /run/redis:mode=755 -v "$BOX-state:/state"; }
check() { inside db redis-cli SET "round-$ROUND" yes && inside db redis-cli SAVE | says '^OK'; }
kept() { inside db redis-cli GET round-1 | says '^yes'; }
