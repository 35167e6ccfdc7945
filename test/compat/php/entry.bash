# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Sessions, and a file in the working directory.

kind='languages and frameworks'
check() { get / | says '^visits: [1-9]'; }
kept() { get / | says '^visits: 3'; }
