# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
check() { get / 80 -X POST | says '^seen$'; }
kept() { [[ $(get / | grep -c seen) == 2 ]]; }
