# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
check() {
  get /me/ 5232 -u me:x -X PROPFIND >/dev/null
  get /me/calendar/ 5232 -u me:x -X MKCALENDAR
  get /me/ 5232 -u me:x -X PROPFIND -H 'Depth: 1' | says '/me/calendar/'
}
kept() { get /me/ 5232 -u me:x -X PROPFIND -H 'Depth: 1' | says '/me/calendar/'; }
