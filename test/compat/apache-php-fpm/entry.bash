# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0

gap='writes /var/log/php8.2-fpm.log and /run/apache2; /var/log/apache2 is root-owned'
check() { get /sum.php | says 'sum 42'; }
