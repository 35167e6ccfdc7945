# shellcheck shell=bash
# SPDX-License-Identifier: Apache-2.0
# State below /opt, in neither the working folder nor a folder for state.

check() { get / | says 'an app'; }
