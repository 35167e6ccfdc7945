# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Services are copied to /run first, as s6-overlay does it.

kind='entrypoints and init programs'
check() { get / | says 'of s6'; }
