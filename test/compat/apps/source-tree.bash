# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A person's project as the working directory, read only by what is in it: builds that write elsewhere.

kind='directories of the host'
volumes=0
start() {
  mkdir -p "$SHARED/src" && echo 'int main;' >"$SHARED/src/main.c" && chown -R 1000:1000 "$SHARED/src" &&
    run app app -v "$SHARED/src:/src" -w /src -- sh -ec 'mkdir -p /build/out; cp main.c /build/out/object; exec serve /build/out'
}
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir /build
DOCKERFILE
}
check() { get app /object | says main && stores app; }
kept() { stored app; }
