# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The image has two accounts, so that nobody can tell whose it is, and the entrypoint changes to one of them.

kind='stepping down'
volumes=0
by_design='the identity changes to nobody else. Name the account (--user, USER)'
hint='failed switching|operation not permitted'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --system --uid 997 --user-group writer && useradd --system --uid 996 --user-group reader && mkdir /queue
CMD ["sh", "-ec", "chown writer /queue; exec gosu writer serve /queue"]
DOCKERFILE
}
start() { run app app; }
check() { stores app; }
kept() { stored app; }
