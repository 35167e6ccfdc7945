# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# npm writes its logs and its cache below HOME.

kind='languages and frameworks'
prepare() {
  npm install --prefix "$1/tree" --silent --ignore-scripts --no-package-lock npm@9.9.4
  mv "$1/tree/node_modules/npm" "$1/npm"
  rm -r "$1/tree"
}
check() { get / 3000 | says 'by start' && inside sh -c 'ls ~/.npm/_logs' | says debug; }
