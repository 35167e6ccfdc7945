# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# ./data:/data, which is not there yet: the engine makes it, as root.

kind='directories of the host'
by_design='whoever starts a container names the directory, and others of the host may read what is there. Make it before, as that of --user, or use a named volume'
hint='what is mounted at .* is empty'
start() { run app base -v "$SHARED/data:/data" -- serve /data; }
check() { stores app; }
kept() { stored app; }
