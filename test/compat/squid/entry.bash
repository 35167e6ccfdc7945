# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

# Through the proxy, to the page that it has of itself.
check() { within curl -fsS -x http://127.0.0.1:3128 http://127.0.0.1:3128/squid-internal-mgr/info | says 'Squid Object Cache'; }
