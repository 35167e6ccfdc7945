# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A developer's stack: the project is bound, and an anonymous volume keeps the 8,000 files of the image's dependencies in its place.

kind='filled volumes'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /app/node_modules && cd /app/node_modules && for i in $(seq 400); do mkdir -p "p$i/lib" && for j in $(seq 20); do echo "$i" >"p$i/lib/$j.js"; done; done
WORKDIR /app
CMD ["sh", "-ec", "mkdir -p node_modules/.vite/deps; echo bundled >node_modules/.vite/deps/page; exec serve /app/node_modules/.vite/deps"]
DOCKERFILE
}
start() {
  mkdir -p "$SHARED/project/src" && chown -R 1000:1000 "$SHARED/project" &&
    run app app -v "$SHARED/project:/app" -v /app/node_modules
}
check() { get app /page | says bundled && stores app; }
kept() { stored app; }
