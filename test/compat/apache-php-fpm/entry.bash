# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='web servers and proxies'
check() { get /sum.php | says 'sum 42'; }
