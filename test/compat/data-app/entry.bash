# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# State in /data, which is a directory of the image and no volume.

kind='places of data'
check() { talk 6379 'SET seen yes\r\nGET seen\r\nQUIT\r\n' | says '^yes'; }
kept() { talk 6379 'GET seen\r\nQUIT\r\n' | says '^yes'; }
