# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

# It saves its configuration in a volume.
kind='web servers and proxies'
check() { get / | says served && inside test -s /config/caddy/autosave.json; }
