# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Compose's file secret: a file of mode 0600 that is root's on the host.

kind='secrets'
by_design='a file of the host that is closed to others stays so. Give it a group or a mode that lets the identity read it'
hint="can't be read by the identity .* chgrp"
volumes=0
start() {
  [[ -e $SHARED/password ]] || { echo sesame >"$SHARED/password" && chmod 600 "$SHARED/password"; }
  run app base -v "$SHARED/password:/run/secrets/password:ro" -- sh -ec 'mkdir -p /tmp/seen; cp -f /run/secrets/password /tmp/seen/word; chmod 644 /tmp/seen/word; exec serve /tmp/seen'
}
check() { get app /word | says sesame; }
kept() { check; }
