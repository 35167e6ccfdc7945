# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Docker's documented backup: another image's tar, with the volumes of the database; then a restore into a new volume.

kind='shared volumes'
images() {
  image db <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends redis-server
VOLUME /data
CMD ["sh", "-c", "umask 077; exec redis-server --protected-mode no --dir /data --appendonly yes"]
DOCKERFILE
}
start() {
  run db db -v "$BOX-data:/data" && sleep 1 &&
    job backup base --volumes-from "$BOX-db" -v "$BOX-backup:/backup" -- tar cf "/backup/round-$ROUND.tar" -C /data . &&
    job restore base -v "$BOX-backup:/backup" -v "$BOX-restored:/restored" -- sh -ec "rm -rf /restored/*; tar xpf /backup/round-$ROUND.tar -C /restored; ls /restored"
}
check() { inside db redis-cli SET "round-$ROUND" yes && says appendonly <<<"$LOGS"; }
kept() { inside db redis-cli GET round-1 | says '^yes'; }
adopt=1
