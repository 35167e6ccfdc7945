# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

gap='/var/lib/varnish is root-owned'
check() { get / | says cached; }
