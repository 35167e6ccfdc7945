# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A mark in / says that the first start is done.

kind='top-level directories'
volumes=0
by_design='/ itself is never given: what lies there is what all programs are loaded from. Put the mark below /run or on a volume'
hint='/\.initialized'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir /srv/app
CMD ["sh", "-ec", "[ -e /.initialized ] || { date >/srv/app/first && touch /.initialized; }; exec serve /srv/app"]
DOCKERFILE
}
start() { run app app; }
check() { get app /first && stores app; }
kept() { stored app; }
