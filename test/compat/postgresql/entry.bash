# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As the official image does it, with initdb on the first start.

kind='databases, caches and queues'
flags=(-e POSTGRES_PASSWORD=secret -v "$BOX-data:/var/lib/postgresql/data")
query() { inside env PGPASSWORD=secret psql -h "$IP" -U postgres -Atc "$1"; }
check() { query "CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (41); SELECT n + 1 FROM t LIMIT 1" | says '^42$'; }
kept() { [[ $(query 'SELECT count(*) FROM t') == 2 ]]; }
