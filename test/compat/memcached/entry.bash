# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() { talk 11211 'set k 0 0 3\r\nyes\r\nget k\r\nquit\r\n' | says '^yes'; }
