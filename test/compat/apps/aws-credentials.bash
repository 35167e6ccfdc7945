# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Credentials of a person are bound below root's home, and the program finds them by HOME.

kind='home'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
CMD ["sh", "-ec", "mkdir -p /run/seen; cp ~/.aws/credentials /run/seen/credentials; exec serve /run/seen"]
DOCKERFILE
}
start() {
  mkdir -p "$SHARED/aws" && echo 'key = of a person' >"$SHARED/aws/credentials" && chown -R 1000:1000 "$SHARED/aws" &&
    run app app -v "$SHARED/aws:/root/.aws:ro"
}
check() { get app /credentials | says 'of a person' && stores app; }
kept() { stored app; }
