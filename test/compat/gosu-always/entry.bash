# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# It changes to its user without asking who it is.

kind='entrypoints and init programs'
by_design='its entrypoint changes to another user without asking who it is, which only root may. Ask first, or start the program itself'
hint='failed switching to|mkdir: .*Permission denied'
check() { get / 8000 | says html; }
