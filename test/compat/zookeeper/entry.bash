# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='databases, caches and queues'
seconds=90
check() {
  inside /usr/share/zookeeper/bin/zkCli.sh create /seen yes
  inside /usr/share/zookeeper/bin/zkCli.sh get /seen | says '^yes'
}
