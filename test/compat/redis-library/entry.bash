# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As the official image does it: the entrypoint gives the volume away, then itself.

kind='databases, caches and queues'
flags=(-v "$BOX-data:/data")
check() { talk 6379 'SET seen yes\r\nGET seen\r\nQUIT\r\n' | says '^yes'; }
kept() { talk 6379 'GET seen\r\nQUIT\r\n' | says '^yes'; }
