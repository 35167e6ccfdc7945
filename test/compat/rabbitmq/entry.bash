# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

seconds=90
check() { talk 5672 'nothing\r\n\r\n' | says AMQP; }
