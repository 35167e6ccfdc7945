# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A name is added to /etc/hosts at start.

kind='configuration of the system'
volumes=0
by_design='/etc/hosts is a file of the engine'"'"'s. --add-host does it'
hint='/etc/hosts|add-host'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
CMD ["sh", "-ec", "echo '127.0.0.1 backend.internal' >>/etc/hosts; mkdir -p /run/names; getent hosts backend.internal >/run/names/found; exec serve /run/names"]
DOCKERFILE
}
start() { run app app; }
check() { get app /found | says backend.internal; }
kept() { check; }
