# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# How Hadoop and Spark find out who they are: UserGroupInformation asks this module of the JDK.

kind='languages and frameworks'
job=1
check() { says 'logged in as [a-z]' <<<"$LOGS"; }
