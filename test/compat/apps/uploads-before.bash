# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Many directories that root has made, of modes that root needs none of.

kind='volumes from before'
adopt=1
images() {
  image app <<'DOCKERFILE'
FROM compat/base
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file app start.sh <<'SH'
#!/bin/sh
set -e
umask 077
for i in 1 2 3 4 5 6 7 8; do
  mkdir -p "/uploads/$i/thumbs"
  date >"/uploads/$i/thumbs/started"
  chmod 500 "/uploads/$i/thumbs"
  chmod 400 "/uploads/$i/thumbs/started"
  chmod 700 "/uploads/$i/thumbs"
  rm -f "/uploads/$i/thumbs/started"
done
exec serve /uploads
SH
}
start() { run app app -v "$BOX-uploads:/uploads"; }
check() { stores app 3/thumbs/ && stores app; }
kept() { stored app 3/thumbs/ && stored app; }
