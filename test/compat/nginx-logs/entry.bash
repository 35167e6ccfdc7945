# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Logs in files, as the package has it, and in a volume.

kind='web servers and proxies'
flags=(-v "$BOX-log:/var/log/nginx")
check() {
  get /asked && return 1
  inside grep -q asked /var/log/nginx/access.log
}
