# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A cache of downloads is a volume below root's home.

kind='home'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
CMD ["sh", "-ec", "mkdir -p ~/.cache/pip; exec serve ~/.cache/pip"]
DOCKERFILE
}
start() { run app app -v "$BOX-cache:/root/.cache"; }
check() { stores app; }
kept() { stored app; }
adopt=1
