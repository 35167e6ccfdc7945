# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
job=1
check() { says '^compiled' <<<"$LOGS" && says 'Cacheable calls' <<<"$LOGS"; }
