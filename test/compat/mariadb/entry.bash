# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As the official image does it.

kind='databases, caches and queues'
flags=(-e MARIADB_PASSWORD=secret -v "$BOX-data:/var/lib/mysql")
query() { inside mariadb -h "$IP" -u app -psecret -Ne "$1" app; }
check() { query "CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (41); SELECT n + 1 FROM t LIMIT 1" | says '^42$'; }
kept() { [[ $(query 'SELECT count(*) FROM t') == 2 ]]; }
