# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='entrypoints and init programs'
seconds=80
by_design='switches to the owner of each crontab, which only root may'
check() { inside test -s /var/log/job; }
