# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# ./data:/data, which a person has made.

kind='directories of the host'
gap='it can write there only as its owner (--user), and nothing says so'
start() {
  [[ -e $SHARED/data ]] || { mkdir "$SHARED/data" && chown 1000:1000 "$SHARED/data"; }
  run app base -v "$SHARED/data:/data" -- serve /data
}
check() { stores app; }
kept() { stored app; }
