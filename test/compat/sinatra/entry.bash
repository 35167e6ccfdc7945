# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
check() { get / 4567 | says '^visits: [1-9]'; }
kept() { get / 4567 | says '^visits: 3'; }
