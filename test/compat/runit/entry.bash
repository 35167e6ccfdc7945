# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='entrypoints and init programs'
gap='writes beside its service, in /etc/service, which is configuration'
check() { get / | says 'of runit'; }
