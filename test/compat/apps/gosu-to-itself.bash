# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The entrypoint always changes to the image's one account, which is who it runs as.

kind='stepping down'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --system --uid 999 --user-group queue && mkdir /queue && chown queue:queue /queue
VOLUME /queue
ENTRYPOINT ["gosu", "queue"]
CMD ["serve", "/queue"]
DOCKERFILE
}
start() { run app app -v "$BOX-queue:/queue"; }
check() { stores app; }
kept() { stored app; }
