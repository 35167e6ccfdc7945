# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='jobs and tools'
job=1
by_design='installs packages: their files are those of the image, which stay root-owned. Install them when the image is built'
hint='are you root'
check() { says '^installed' <<<"$LOGS"; }
