# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A download into the working directory.

kind='jobs and tools'
job=1
flags=(-e "SERVER=$SERVER")
check() { says '^a page$' <<<"$LOGS"; }
