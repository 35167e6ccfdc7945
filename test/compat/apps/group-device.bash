# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A right set-up that is not root's: a person's uid, and the group of a device that the container is given.

kind='devices'
volumes=0
start() {
  [[ -e $SHARED/ttyUSB0 ]] || { mknod "$SHARED/ttyUSB0" c 1 5 && chown 0:20 "$SHARED/ttyUSB0" && chmod 660 "$SHARED/ttyUSB0"; }
  run app base --user 1004:1004 --group-add dialout --device "$SHARED/ttyUSB0:/dev/ttyUSB0" -- sh -ec 'mkdir -p /tmp/seen; head -c 16 /dev/ttyUSB0 | od -An -tx1 >/tmp/seen/bytes; exec serve /tmp/seen'
}
check() { get app /bytes | says '00 00 00' && stores app; }
kept() { stored app; }
