# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='jobs and tools'
job=1
check() { says DejaVu <<<"$LOGS"; }
