# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The one-shot container makes directories, too, and gives all of it to the application's uid and group 0.

kind='init steps'
start() {
  job init base --user 0:0 -v "$BOX-sources:/sources" -- sh -ec 'mkdir -p /sources/logs /sources/dags; chown -R 50000:0 /sources; ls /sources' &&
    run app base --user 50000:0 -v "$BOX-sources:/sources" -- serve /sources/logs
}
check() { stores app; }
kept() { stored app; }
