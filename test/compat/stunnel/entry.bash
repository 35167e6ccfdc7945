# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Its key is readable to root only, as it should be.

kind='web servers and proxies'
flags=(-e "SERVER=$SERVER")
check() { curl -fsSk --max-time 3 "https://$IP/" | says '^a page$'; }
