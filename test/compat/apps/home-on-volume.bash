# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# HOME is named, and lies on a volume.

kind='home'
start() { run app base -e HOME=/data -v "$BOX-data:/data" -- sh -ec 'mkdir -p ~/.local/share; exec serve ~/.local/share'; }
check() { stores app; }
kept() { stored app; }
adopt=1
