# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A package that is installed when the container starts.

kind='jobs and tools'
job=1
check() { says '^installed' <<<"$LOGS"; }
