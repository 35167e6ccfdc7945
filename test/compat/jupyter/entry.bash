# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
seconds=90
check() { get /api/contents 8888 -X POST -H 'Content-Type: application/json' -d '{"type": "notebook"}' | says 'Untitled.*ipynb'; }
kept() { [[ $(get /api/contents 8888 | jq '.content | length') == 2 ]]; }
