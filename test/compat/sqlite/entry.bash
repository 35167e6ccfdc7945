# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

job=1
gap='makes a folder or file in /var/lib, which is root-owned'
check() { says '^42[|]' <<<"$LOGS"; }
kept() { says '^42[|]2' <<<"$LOGS"; }
