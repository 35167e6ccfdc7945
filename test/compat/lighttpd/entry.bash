# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

gap='needs a file or folder of its own in /run, which is root-owned'
check() { get / | says 'Placeholder page'; }
