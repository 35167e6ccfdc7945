# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

seconds=90
gap='writes into its working folder, which is root-owned'
check() { get /api/contents 8888 -X POST -H 'Content-Type: application/json' -d '{"type": "notebook"}' | says 'Untitled.*ipynb'; }
kept() { [[ $(get /api/contents 8888 | jq '.content | length') == 2 ]]; }
