# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# It changes to its user without asking who it is.

kind='entrypoints and init programs'
check() { get / 8000 | says html; }
