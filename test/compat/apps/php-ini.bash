# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Settings of the interpreter come from the environment, as files in its own configuration tree.

kind='configuration at start'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /usr/local/etc/php/conf.d /usr/local/etc/php-fpm.d && printf 'memory_limit = 64M\n' >/usr/local/etc/php/php.ini-production
COPY entrypoint.sh /usr/local/bin/
ENTRYPOINT ["entrypoint.sh"]
CMD ["serve", "/usr/local/etc/php"]
DOCKERFILE
  file app entrypoint.sh <<'SH'
#!/bin/bash
set -e
cp /usr/local/etc/php/php.ini-production /usr/local/etc/php/php.ini
{
  echo "memory_limit = $MEMORY_LIMIT"
  echo "upload_max_filesize = $UPLOAD_LIMIT"
} >/usr/local/etc/php/conf.d/app.ini
rm -f /usr/local/etc/php-fpm.d/zz-docker.conf
printf '[www]\nlisten = 9000\n' >/usr/local/etc/php-fpm.d/www.conf
exec "$@"
SH
}
start() { run app app -e MEMORY_LIMIT=512M -e UPLOAD_LIMIT=2G; }
check() { get app /conf.d/app.ini | says 'memory_limit = 512M'; }
kept() { check; }
