# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
prepare() { npm install --prefix "$1" --silent --omit=dev --ignore-scripts --no-package-lock; }
check() { get / 3000 -L -F 'file=@/etc/hostname' | says .; }
kept() { inside sh -c '[ "$(ls uploads | wc -l)" = 2 ] && grep -q POST logs/access.log'; }
