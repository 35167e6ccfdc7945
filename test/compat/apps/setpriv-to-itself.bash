# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# setpriv with --init-groups, or s6-setuidgid: ids and groups are set to what they are.

kind='stepping down'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --system --uid 998 --user-group broker && mkdir /broker && chown broker:broker /broker
VOLUME /broker
CMD ["sh", "-ec", "chown -R broker:broker /broker; exec setpriv --reuid=broker --regid=broker --init-groups serve /broker"]
DOCKERFILE
}
start() { run app app -v "$BOX-broker:/broker"; }
check() { stores app; }
kept() { stored app; }
