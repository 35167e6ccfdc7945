# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A static program in an image without passwd, which keeps something in the user's cache.

kind='languages and frameworks'
flags=(-e HOME=/root)
prepare() { CGO_ENABLED=0 go build -trimpath -o "$1/server" ./test/compat/go-scratch; }
check() { get / | says '^static, with a cache'; }
