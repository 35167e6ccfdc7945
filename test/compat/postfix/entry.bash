# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='mail, names and logins'
by_design='its master starts parts of itself as several users, which only root may'

check() { talk 25 'QUIT\r\n' | says '^220 .*Postfix'; }
