# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# State below /opt, in neither the working folder nor a folder for state.

gap='writes below /opt/app, which is neither a folder for state nor its working folder'
check() { get / | says 'an app'; }
