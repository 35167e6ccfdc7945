# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='web servers and proxies'
check() { within curl -fsS --proxy http://127.0.0.1:8888 "http://$SERVER/" | says '^a page$'; }
