# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

kind='mail, names and logins'
by_design='logs in whoever comes as the user that they name, which only root may; its host keys are readable to root only'
hint='no hostkeys available|Permission denied'
check() { talk 22 'SSH-2.0-check\r\n' | says '^SSH-2.0-OpenSSH'; }
