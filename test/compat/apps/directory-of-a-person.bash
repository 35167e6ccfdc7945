# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# ./data:/data, which a person has made.

kind='directories of the host'
by_design='what a person has on the host stays that person'"'"'s. Run it as the owner (--user)'
hint="can't be written by the identity .* run it as the owner"
start() {
  [[ -e $SHARED/data ]] || { mkdir "$SHARED/data" && chown 1000:1000 "$SHARED/data"; }
  run app base -v "$SHARED/data:/data" -- serve /data
}
check() { stores app; }
kept() { stored app; }
