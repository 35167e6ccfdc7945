# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# An account without its last field, as adduser scripts of small images write it; --user names it by number.

kind='accounts'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN printf 'b:x:1001:1001:B:/home/b\n' >>/etc/passwd && printf 'b:x:1001:\n' >>/etc/group && mkdir /home/b && chown 1001:1001 /home/b
CMD ["sh", "-ec", "id -un >~/name; echo $HOME >~/home; exec serve ~"]
DOCKERFILE
}
start() { run app app --user 1001; }
check() { get app /name | says '^b$' && get app /home | says '^/home/b$' && stores app; }
kept() { stored app; }
