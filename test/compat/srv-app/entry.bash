# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# State below /srv, whatever the working directory is.

kind='places of data'
check() { get / | says 'visit [0-9]'; }
kept() { [[ $(get / | says 'visit' && get / | sed 's/[^0-9]//g') -ge 3 ]]; }
