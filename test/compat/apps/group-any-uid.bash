# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A platform that gives each project a uid: --user 12345:0, for which the image's script adds a line to passwd.

kind='group 0'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /home/worker /srv/state && chgrp -R 0 /home/worker /srv/state /etc/passwd && chmod -R g=u /home/worker /srv/state /etc/passwd
COPY uid_entrypoint /usr/local/bin/
ENV HOME=/home/worker
USER 1001
ENTRYPOINT ["uid_entrypoint"]
CMD ["serve", "/srv/state"]
DOCKERFILE
  file app uid_entrypoint <<'SH'
#!/bin/sh
set -e
if ! whoami >/dev/null 2>&1 && [ -w /etc/passwd ]; then
  echo "worker:x:$(id -u):0:worker:$HOME:/sbin/nologin" >>/etc/passwd
fi
whoami >/srv/state/whoami
mkdir -p "$HOME/.config"
date >"$HOME/.config/started"
exec "$@"
SH
}
start() { run app app --user 12345:0; }
check() { get app /whoami | says . && stores app; }
kept() { stored app; }
