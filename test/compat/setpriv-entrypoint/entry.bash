# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The volume's directory is root's in the image; the entrypoint gives it away.

kind='entrypoints and init programs'
flags=(-v "$BOX-data:/data")
check() { get /started | says ':'; }
