# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

check() { get / | says balanced; }
