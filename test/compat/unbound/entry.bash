# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='mail, names and logins'
by_design='a script of its package drops its groups before it makes the key, which only root may. Make the key when the image is built'
hint='setpriv: setgroups failed: Operation not permitted'
check() { inside dig +short +time=2 +tries=1 "@$IP" localhost | says '^127.0.0.1$'; }
