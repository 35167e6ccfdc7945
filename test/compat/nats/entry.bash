# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() { talk 4222 'CONNECT {}\r\nPUB $JS.API.STREAM.CREATE.s r 40\r\n{"name":"s","subjects":["seen"],"num":1}\r\nSUB seen 1\r\nPUB seen 3\r\nyes\r\nPING\r\n' | says '^yes' && get '/jsz?streams=1' 8222 | says '"streams": 1'; }
kept() { get '/jsz' 8222 | says '"messages": [1-9]'; }
