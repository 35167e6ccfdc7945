# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# ./data:/data, which is not there yet: the engine makes it, as root.

kind='directories of the host'
gap='a directory of the host that the engine has just made is not given, and nothing says so'
start() { run app base -v "$SHARED/data:/data" -- serve /data; }
check() { stores app; }
kept() { stored app; }
