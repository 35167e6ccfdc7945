# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A read-only root with a tmpfs where the server writes.

kind='read-only'
volumes=0
images() {
  image web <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends nginx-light
RUN rm -f /etc/nginx/sites-enabled/default && printf 'server { listen 80; return 200 "read only\\n"; }\n' >/etc/nginx/conf.d/site.conf
CMD ["nginx", "-g", "daemon off; error_log stderr;"]
DOCKERFILE
}
start() { run web web --read-only --tmpfs /run --tmpfs /var/lib/nginx --tmpfs /var/log/nginx --tmpfs /tmp; }
check() { get web / 80 | says 'read only'; }
kept() { check; }
