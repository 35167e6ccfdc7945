# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A program with a file capability, which the kernel ignores here; the sysctl ping_group_range is Docker's.

kind='jobs and tools'
job=1
command=("${SERVER%:*}")
check() { says ' 1 received' <<<"$LOGS"; }
