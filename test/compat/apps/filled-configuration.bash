# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A radio's configuration is a volume, which the engine fills from the image; the program rewrites it.

kind='filled volumes'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /etc/radio /usr/share/radio/web && printf '<password>hackme</password>\n' >/etc/radio/radio.xml && echo skin >/usr/share/radio/web/skin
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file app start.sh <<'SH'
#!/bin/sh
set -e
sed -i "s/hackme/$PASSWORD/" /etc/radio/radio.xml
exec serve /etc/radio
SH
}
start() { run app app -v "$BOX-etc:/etc/radio" -e PASSWORD=sesame; }
check() { get app /radio.xml | says sesame && stores app; }
kept() { stored app; }
adopt=1
