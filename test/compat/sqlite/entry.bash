# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
job=1
check() { says '^42[|]' <<<"$LOGS"; }
kept() { says '^42[|]2' <<<"$LOGS"; }
