# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# It gives its directories to its service at each start, and ends where it can't.

kind='chown at start'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /var/lib/wiki/pages /var/log/wiki
COPY entrypoint.sh /
VOLUME /var/lib/wiki
ENTRYPOINT ["/entrypoint.sh"]
CMD ["serve", "/var/lib/wiki/pages"]
DOCKERFILE
  file app entrypoint.sh <<'SH'
#!/bin/bash
set -euo pipefail
mkdir -p /var/lib/wiki/pages /var/lib/wiki/cache
chown -R www-data:www-data /var/lib/wiki /var/log/wiki
chmod 750 /var/lib/wiki/cache
find /var/lib/wiki -type d -exec chmod u+rwx {} +
exec "$@"
SH
}
start() { run app app -v "$BOX-data:/var/lib/wiki"; }
check() { stores app; }
kept() { stored app; }
adopt=1
