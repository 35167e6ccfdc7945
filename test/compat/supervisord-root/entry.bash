# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='entrypoints and init programs'
by_design="its configuration names users to switch to (user=root, user=www-data), which only root may. Leave the lines out"
hint="Can't drop privilege as nonroot user"
check() { get / 8000 | says html; }
