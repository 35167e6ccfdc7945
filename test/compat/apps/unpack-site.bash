# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As the largest of content systems does it: the program is unpacked into its volume at the first start, as the web server's.

kind='chown at start'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /usr/src/site/content/themes /var/www/html && echo '<?php // version 1' >/usr/src/site/index.php && \
    chown -R www-data:www-data /usr/src/site /var/www/html && chmod 1777 /var/www/html
COPY docker-entrypoint.sh /usr/local/bin/
VOLUME /var/www/html
WORKDIR /var/www/html
ENTRYPOINT ["docker-entrypoint.sh"]
CMD ["serve", "/var/www/html"]
DOCKERFILE
  file app docker-entrypoint.sh <<'SH'
#!/usr/bin/env bash
set -Eeuo pipefail
uid=$(id -u)
user=$uid group=$(id -g)
if [ "$uid" = 0 ]; then user=www-data group=www-data; fi
if [ ! -e index.php ]; then
  if [ "$uid" = 0 ] && [ "$(stat -c %u:%g .)" = 0:0 ]; then chown "$user:$group" .; fi
  tar --create --file - --directory /usr/src/site --owner "$user" --group "$group" . |
    tar --extract --file - --directory "$PWD" --no-overwrite-dir
fi
[ -s settings.php ] || sed 's/version/settings of version/' index.php >settings.php
exec "$@"
SH
}
start() { run app app -v "$BOX-html:/var/www/html"; }
check() { get app /settings.php | says settings && stores app; }
kept() { stored app; }
adopt=1
