# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# What operators run in it: a dump into a file and to standard output, a restore, a clean-up as root by name.

kind='exec scripts'
adopt=1
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /backup /var/lib/shop
COPY dump restore /usr/local/bin/
CMD ["serve", "/var/lib/shop"]
DOCKERFILE
  file app dump <<'SH'
#!/bin/sh
set -e
install -d -m 700 -o root -g root /backup/daily
tar cf "/backup/daily/$1.tar" -C /var/lib/shop .
chown root:root "/backup/daily/$1.tar"
ln -sf "daily/$1.tar" /backup/latest
cat "/backup/daily/$1.tar"
SH
  file app restore <<'SH'
#!/bin/sh
set -e
mkdir -p "/var/lib/shop/restored-$1"
tar xpf - -C "/var/lib/shop/restored-$1"
chown -R www-data: "/var/lib/shop/restored-$1"
SH
}
start() { run app app -v "$BOX-shop:/var/lib/shop" -v "$BOX-backup:/backup"; }
check() {
  stores app && inside app dump "$ROUND" >"$SHARED/dump" && feed app restore "$ROUND" <"$SHARED/dump" &&
    inside app sh -c "cat /var/lib/shop/restored-$ROUND/round-1" | says 'of round 1' &&
    timeout 20 docker exec --user root "$BOX-app" sh -ec "cd /backup; tar tf latest | grep -q round-1; rm -f daily/none; touch /tmp/cleaned"
}
kept() { stored app && inside app test -e /backup/daily/1.tar; }
