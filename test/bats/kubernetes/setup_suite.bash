# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
#
# One cluster for all files: it takes twenty seconds to come up, and each file has namespaces of its own.

setup_suite() {
  # shellcheck source=test/bats/kubernetes/cluster.bash
  source "${BASH_SOURCE[0]%/*}/cluster.bash"
  start_cluster
}

teardown_suite() {
  # shellcheck source=test/bats/kubernetes/cluster.bash
  source "${BASH_SOURCE[0]%/*}/cluster.bash"
  stop_cluster
}
