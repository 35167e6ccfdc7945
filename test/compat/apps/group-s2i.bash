# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# As builders of a large vendor make them: a user by number with gid 0, and what it writes is root's and group 0's.

kind='group 0'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /opt/app-root/src /opt/app-root/data && printf 'greeting\n' >/opt/app-root/src/page && chgrp -R 0 /opt/app-root && chmod -R g=u /opt/app-root
COPY run /usr/libexec/s2i/run
WORKDIR /opt/app-root/src
USER 1001
CMD ["/usr/libexec/s2i/run"]
DOCKERFILE
  file app run <<'SH'
#!/bin/sh
set -e
# Assets are compiled at each start.
mkdir -p /opt/app-root/src/compiled
sed 's/greeting/compiled greeting/' /opt/app-root/src/page >/opt/app-root/src/compiled/page
cp -f /opt/app-root/src/compiled/page /opt/app-root/data/page
exec serve /opt/app-root/data
SH
}
start() { run app app -v "$BOX-data:/opt/app-root/data"; }
check() { get app /page | says '^compiled greeting' && stores app; }
kept() { stored app; }
adopt=1
