# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# With the configuration of the package: chroot, user and group.

check() { get / | says balanced; }
