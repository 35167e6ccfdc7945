# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
job=1
check() { says '^slope 3.932' <<<"$LOGS"; }
