# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Compose's file secret: a file of mode 0600 that is root's on the host.

kind='secrets'
volumes=0
by_design='a file of the host that is closed to others stays so. Give it a mode or a group, or run as its owner (--user)'
hint='"/run/secrets/password".*hint|closed.*(/run/secrets/password|/run/secrets)|/run/secrets/password.*(not the identity|can.t read|closed)'
start() {
  [[ -e $SHARED/password ]] || { echo sesame >"$SHARED/password" && chmod 600 "$SHARED/password"; }
  run app base -v "$SHARED/password:/run/secrets/password:ro" -- sh -ec 'mkdir -p /tmp/seen; cp -f /run/secrets/password /tmp/seen/word; chmod 644 /tmp/seen/word; exec serve /tmp/seen'
}
check() { get app /word | says sesame; }
kept() { check; }
