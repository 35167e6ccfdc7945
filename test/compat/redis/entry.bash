# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
check() { talk 6379 'SET seen yes\r\nGET seen\r\nSAVE\r\nQUIT\r\n' | says '^yes'; }
kept() { talk 6379 'LASTSAVE\r\nGET seen\r\nQUIT\r\n' | says '^yes'; }
