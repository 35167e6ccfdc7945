# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

job=1
gap='writes into its working folder, which is root-owned'
check() { says 'cert.pem: OK' <<<"$LOGS"; }
