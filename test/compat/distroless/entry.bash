# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# What distroless images bring: accounts, homes and certificates, no shell. The program is that of go-scratch.

kind='languages and frameworks'
prepare() { CGO_ENABLED=0 go build -trimpath -o "$1/server" ./test/compat/go-scratch; }
check() { get / | says '^static, with a cache'; }
