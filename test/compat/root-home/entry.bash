# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The author put everything into /root, and names it.

gap='names /root, which is readable and writable to root only'
check() { get / | says 'of root'; }
