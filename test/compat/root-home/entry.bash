# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The author put everything into /root, and names it.

kind='places of data'
check() { get / | says 'of root'; }
