# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The volume's directory is not in the image: Docker makes it, for root.

kind='places of data'
flags=(-v "$BOX-data:/data")
check() { get /starts | says start; }
kept() { [[ $(get /starts | grep -c start) == 2 ]]; }
