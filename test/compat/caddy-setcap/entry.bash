# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# With a file capability for port 80, as the official image has it.

kind='web servers and proxies'
check() { get / | says served; }
