# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The cluster that the package makes, which wants its key by the group ssl-cert.

kind='databases, caches and queues'
query() { inside psql -h "$IP" -U postgres -Atc "$1"; }
check() { query "CREATE TABLE IF NOT EXISTS t (n int); INSERT INTO t VALUES (41); SELECT n + 1 FROM t LIMIT 1" | says '^42$'; }
kept() { [[ $(query 'SELECT count(*) FROM t') == 2 ]]; }
