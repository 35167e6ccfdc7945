# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
seconds=90
# The broker knows its queues by the host's name.
flags=(--hostname broker)
check() { inside python3 /message.py | says '^messages: [1-9]'; }
kept() { inside python3 /message.py | says '^messages: 3'; }
