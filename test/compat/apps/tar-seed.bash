# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# An image that brings its first data as an archive, with the owners of where it was made.

kind='chown at start'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /seed/site/assets && echo 'first page' >/seed/site/index && chown -R 1234:4321 /seed && tar -C /seed -cf /seed.tar site && rm -r /seed
COPY entrypoint.sh /
VOLUME /srv/www
ENTRYPOINT ["/entrypoint.sh"]
CMD ["serve", "/srv/www/site"]
DOCKERFILE
  file app entrypoint.sh <<'SH'
#!/bin/sh
set -e
if [ ! -d /srv/www/site ]; then
  tar -xpf /seed.tar --same-owner -C /srv/www
fi
chmod -R u=rwX,g=rX,o= /srv/www/site
exec "$@"
SH
}
start() { run app app -v "$BOX-www:/srv/www"; }
check() { get app /index | says 'first page' && stores app; }
kept() { stored app; }
adopt=1
