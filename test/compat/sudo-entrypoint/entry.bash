# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='entrypoints and init programs'
by_design='its entrypoint calls sudo, a setuid program, which gives nothing here. Start the program itself'
hint='no new privileges'
check() { get / 8000 | says html; }
