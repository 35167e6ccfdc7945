# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='languages and frameworks'
check() { get /admin/login/ 8000 | says 'Django administration'; }
kept() { inside python3 manage.py showmigrations admin | says '\[X\] 0001'; }
