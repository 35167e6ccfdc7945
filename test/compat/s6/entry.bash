# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Services are copied to /run first, as s6-overlay does it.

gap='needs a file or folder of its own in /run, which is root-owned'
check() { get / | says 'of s6'; }
