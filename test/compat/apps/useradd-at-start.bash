# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A development container makes the account of its developer.

kind='accounts'
volumes=0
by_design='accounts are the image'"'"'s, and nobody here may add one. Make it when the image is built, or name a number (--user)'
hint='useradd|/etc/passwd'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir /workspace
CMD ["sh", "-ec", "id dev 2>/dev/null || useradd --uid $DEV_UID --create-home dev; chown dev /workspace; exec gosu dev serve /workspace"]
DOCKERFILE
}
start() { run app app -e DEV_UID=1000; }
check() { stores app; }
kept() { stored app; }
