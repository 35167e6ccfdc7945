# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
flags=(-e ETCDCTL_API=3)
check() { inside etcdctl put seen yes && inside etcdctl get seen | says '^yes$'; }
kept() { [[ $(inside etcdctl get seen -w json | jq '.kvs[0].version') == 2 ]]; }
