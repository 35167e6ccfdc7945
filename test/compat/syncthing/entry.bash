# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# All its state is in the home directory.

kind='mail, names and logins'
check() { get / 8384 | says Syncthing; }
