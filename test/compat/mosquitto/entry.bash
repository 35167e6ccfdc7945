# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() { inside mosquitto_pub -h "$IP" -t seen -m yes -r && inside mosquitto_sub -h "$IP" -t seen -C 1 -W 2 | says '^yes$'; }
kept() { inside mosquitto_sub -h "$IP" -t seen -C 1 -W 2 | says '^yes$'; }
