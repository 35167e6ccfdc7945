# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
flags=(-w /app)
check() { get / | says 'of /app'; }
