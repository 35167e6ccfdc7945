# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A one-shot container prepares the volume for the application's user.

kind='init steps'
start() {
  job init base --user root -v "$BOX-data:/data" -- chown -R 1000:1000 /data &&
    run app base --user 1000:1000 -v "$BOX-data:/data" -- serve /data
}
check() { stores app; }
kept() { stored app; }
