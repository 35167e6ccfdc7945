# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='mail, names and logins'
by_design='logs in whoever comes as the user that they name, which only root may'
check() { talk 143 'a LOGOUT\r\n' | says '^\* OK .*Dovecot'; }
