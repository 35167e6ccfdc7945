# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
flags=(-v "$BOX-data:/var/lib/influxdb")
check() { get /query 8086 --data-urlencode 'q=CREATE DATABASE d' && get '/write?db=d' 8086 --data-binary 'seen value=42' && get '/query' 8086 -G --data-urlencode db=d --data-urlencode 'q=SELECT value FROM seen' | says 42; }
kept() { get '/query' 8086 -G --data-urlencode db=d --data-urlencode 'q=SELECT count(value) FROM seen' | says ',2\]'; }
