# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# With the configuration of the package: chroot, user and group.

kind='web servers and proxies'
by_design='its configuration wants a chroot, which only root may make. Leave the line out'
hint='Cannot chroot|cannot bind UNIX socket'
check() { get / | says balanced; }
