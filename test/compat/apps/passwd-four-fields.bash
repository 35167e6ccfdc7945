# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# An account of four fields and a group of three; the image's USER names it.

kind='accounts'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN printf 'c:x:1002:1002\n' >>/etc/passwd && printf 'c:x:1002\n' >>/etc/group && mkdir /srv/c && chown 1002:1002 /srv/c
USER c
CMD ["sh", "-ec", "id -u >/srv/c/uid; id -g >/srv/c/gid; exec serve /srv/c"]
DOCKERFILE
}
start() { run app app; }
check() { get app /uid | says '^1002$' && get app /gid | says '^1002$' && stores app; }
kept() { stored app; }
