# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A CI runner: a helper's image clones into a volume, and the job's image, which has an account of its own, works in it.

kind='shared volumes'
images() {
  image node <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 1000 --user-group --create-home node
CMD ["sh"]
DOCKERFILE
}
start() {
  job helper base -v "$BOX-builds:/builds" -- sh -ec 'mkdir -p /builds/project/.git; cd /builds/project; [ -e src ] || { mkdir src && echo source >src/file; }; date >.git/HEAD' &&
    job build node -v "$BOX-builds:/builds" -w /builds/project -- sh -ec "mkdir -p node_modules/.bin dist; cp src/file dist/round-$ROUND; sed -i s/source/changed/ src/file; date >.git/index" &&
    job artifacts base -v "$BOX-builds:/builds" -- sh -ec 'cd /builds/project; tar cf /tmp/a.tar dist; tar tf /tmp/a.tar; rm -rf node_modules; ls .git' &&
    run app base -v "$BOX-builds:/builds" -- serve /builds/project
}
check() { get app "/dist/round-$ROUND" || get app /dist/round-1; }
kept() { get app /dist/round-1 | says source; }
adopt=1
