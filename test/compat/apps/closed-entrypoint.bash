# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Only root may run the entrypoint, or read the directory of its settings.

kind='closed to others'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
COPY entrypoint.sh /
COPY settings /etc/shop/settings
RUN chmod 744 /entrypoint.sh && chmod 700 /etc/shop && chmod 600 /etc/shop/settings
ENTRYPOINT ["/entrypoint.sh"]
DOCKERFILE
  file app entrypoint.sh 744 <<'SH'
#!/bin/sh
set -e
. /etc/shop/settings
mkdir -p /run/shop
echo "$COLOUR" >/run/shop/colour
exec serve /run/shop
SH
  file app settings 600 <<'SH'
COLOUR=green
SH
}
start() { run app app; }
check() { get app /colour | says green && stores app; }
kept() { stored app; }
