# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A chart's step: only the mode is opened for whoever comes.

kind='init steps'
start() {
  job init base --user 0 -v "$BOX-data:/data" -- sh -ec 'mkdir -p /data/store; chown -R 1001:1001 /data; chmod -R 777 /data' &&
    run app base --user 1001 -v "$BOX-data:/data" -- serve /data/store
}
check() { stores app; }
kept() { stored app; }
