# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

gap='writes /var/lib/nginx and /run, which are root-owned'
check() { get / | says 'Welcome to nginx'; }
