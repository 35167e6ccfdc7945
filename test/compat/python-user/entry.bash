# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# getpass.getuser(), and a cache in ~/.cache.

kind='languages and frameworks'
job=1
check() { says '^cached for [a-z].* in /' <<<"$LOGS"; }
