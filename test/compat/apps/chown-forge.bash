# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A forge's set-up: cp -a of its defaults, install -o, mkdir and chown of each part, and a log given to another group.

kind='chown at start'
adopt=1
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --system --create-home --home-dir /data/home forge && mkdir -p /usr/share/forge/conf && echo 'name = forge' >/usr/share/forge/conf/app.ini && \
    chown -R forge:forge /usr/share/forge
COPY setup /usr/bin/setup
ENTRYPOINT ["/usr/bin/setup"]
CMD ["serve", "/data/repositories"]
DOCKERFILE
  file app setup <<'SH'
#!/bin/sh
set -e
[ -e /data/conf/app.ini ] || cp -a /usr/share/forge/. /data/
install -d -o forge -g forge -m 750 /data/repositories /data/sessions
install -o forge -g forge -m 600 /usr/share/forge/conf/app.ini /data/conf/local.ini
touch /var/log/forge.log
chown root:adm /var/log/forge.log
chmod 640 /var/log/forge.log
exec "$@"
SH
}
start() { run app app -v "$BOX-data:/data"; }
check() { stores app && inside app test -s /data/conf/local.ini; }
kept() { stored app; }
