# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A database of sqlite in the working directory.

kind='languages and frameworks'
check() { get / 8000 | says '^visits: [1-9]'; }
kept() { get / 8000 | says '^visits: 3'; }
