# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# It starts with what was written before, and would fail days later, at its first SAVE.

kind='volumes from before'
adopt=1
images() {
  image db <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends redis-server
VOLUME /data
WORKDIR /data
CMD ["redis-server", "--protected-mode", "no", "--dir", "/data"]
DOCKERFILE
}
start() { run db db -v "$BOX-data:/data"; }
check() { inside db redis-cli SET "round-$ROUND" yes && inside db redis-cli SAVE | says '^OK'; }
kept() { inside db redis-cli GET round-1 | says '^yes'; }
