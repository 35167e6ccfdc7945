# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# What operators copy into a running container, and read there.

kind='exec scripts'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /srv/data /import
CMD ["serve", "/srv/data"]
DOCKERFILE
}
start() { run app app; }
check() {
  echo "copied in round $ROUND" >"$SHARED/copied" && chmod 644 "$SHARED/copied" &&
    docker cp -q "$SHARED/copied" "$BOX-app:/import/copied-$ROUND" 2>/dev/null || docker cp "$SHARED/copied" "$BOX-app:/import/copied-$ROUND" &&
    inside app cp "/import/copied-$ROUND" "/srv/data/copied-$ROUND" && get app "/copied-$ROUND" | says 'copied in'
}
kept() { get app /copied-1 | says 'copied in'; }
