# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Logs of one image are moved and truncated by another.

kind='shared volumes'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 1500 --user-group app && mkdir /var/log/app && chown app:app /var/log/app
CMD ["sh", "-ec", "umask 077; echo started >>/var/log/app/app.log; exec serve /var/log/app"]
DOCKERFILE
}
start() {
  run app app -v "$BOX-log:/var/log/app" && sleep 1 &&
    job rotate base --volumes-from "$BOX-app" -- sh -ec "cd /var/log/app; cp app.log app.log.$ROUND; : >app.log; mv app.log.$ROUND rotated-$ROUND; chmod 600 rotated-$ROUND; gzip -k rotated-$ROUND"
}
check() { get app /rotated-1 | says started && get app /app.log && stores app; }
kept() { stored app; }
adopt=1
