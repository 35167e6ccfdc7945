# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='jobs and tools'
job=1
by_design='installs a package: its files are those of the image, which stay root-owned. Install it when the image is built'
hint='superuser privilege'
check() { says '^installed' <<<"$LOGS"; }
