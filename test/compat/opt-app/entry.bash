# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# State below /opt, in neither the working directory nor a directory for state.

kind='places of data'
check() { get / | says 'an app'; }
