# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='entrypoints and init programs'
check() { get / | says 'Welcome to nginx' && get / 8000 | says html; }
