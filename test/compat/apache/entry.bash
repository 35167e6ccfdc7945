# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

gap='makes /run/apache2, and /var/log/apache2 is root-owned'
check() { get / | says 'It works'; }
