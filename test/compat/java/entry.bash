# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
check() { get / | says '^for [a-z]'; }
