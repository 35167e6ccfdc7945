# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The same under set -e: nothing starts where the account can't be changed.

kind='accounts'
volumes=0
by_design='accounts are the image'"'"'s, and nobody here may change them. --user 1000:1000 in place of PUID'
hint='usermod|groupmod|/etc/passwd'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 911 --user-group abc && mkdir /state
COPY init /init
ENTRYPOINT ["/init"]
DOCKERFILE
  file app init <<'SH'
#!/bin/sh
set -e
groupmod -o -g "$PGID" abc
usermod -o -u "$PUID" abc
chown -R abc:abc /state
exec gosu abc serve /state
SH
}
start() { run app app -e PUID=1000 -e PGID=1000; }
check() { stores app; }
kept() { stored app; }
