# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='entrypoints and init programs'
by_design='its entrypoint calls su, a setuid program, which gives nothing here and asks for a password. Start the program itself'
hint='Password|Authentication failure|must be run from a terminal|Permission denied'
check() { get / 8000 | says html; }
