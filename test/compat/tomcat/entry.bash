# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
seconds=90
check() { get / 8080 | says 'It works'; }
