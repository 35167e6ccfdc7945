# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='mail, names and logins'
check() { inside dig +short +time=2 +tries=1 "@$IP" localhost | says '^127.0.0.1$'; }
