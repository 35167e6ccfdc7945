# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() { talk 11300 'put 0 0 60 3\r\nyes\r\npeek-ready\r\nquit\r\n' | says '^yes'; }
kept() { talk 11300 'stats\r\nquit\r\n' | says '^current-jobs-ready: 2'; }
