# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() { get '/api/v1/query?query=vector(42)' 9090 | says '"42"'; }
