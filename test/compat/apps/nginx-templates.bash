# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# nginx with the usual scripts: templates are rendered into conf.d, and the number of workers is set, before it starts.

kind='configuration at start'
volumes=0
images() {
  image web <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends nginx-light
RUN useradd --system nginx && sed -i 's/^user .*/user nginx;/' /etc/nginx/nginx.conf && rm -f /etc/nginx/sites-enabled/default && \
    ln -sf /dev/stdout /var/log/nginx/access.log && ln -sf /dev/stderr /var/log/nginx/error.log && mkdir -p /etc/nginx/templates /docker-entrypoint.d && \
    printf 'server { listen 80; return 200 default; }\n' >/etc/nginx/conf.d/default.conf
COPY docker-entrypoint.sh /
COPY 20-templates.sh 30-workers.sh /docker-entrypoint.d/
ENTRYPOINT ["/docker-entrypoint.sh"]
CMD ["nginx", "-g", "daemon off;"]
DOCKERFILE
  file web docker-entrypoint.sh <<'SH'
#!/bin/sh
set -e
find /docker-entrypoint.d -follow -type f -name '*.sh' | sort | while read -r part; do
  "$part"
done
exec "$@"
SH
  # It goes on where it can't write, as the original does.
  file web 20-templates.sh <<'SH'
#!/bin/sh
[ -w /etc/nginx/conf.d ] || { echo "$0: /etc/nginx/conf.d is not writable" && exit 0; }
for template in /etc/nginx/templates/*.template; do
  [ -e "$template" ] || continue
  envsubst '$GREETING' <"$template" >"/etc/nginx/conf.d/$(basename "$template" .template)"
done
SH
  file web 30-workers.sh <<'SH'
#!/bin/sh
[ -w /etc/nginx/nginx.conf ] || { echo "$0: can not modify /etc/nginx/nginx.conf" && exit 0; }
sed -i 's/^worker_processes .*/worker_processes 2;/' /etc/nginx/nginx.conf
SH
}
start() {
  mkdir -p "$SHARED/templates" &&
    printf 'server { listen 80; location / { return 200 "of the template: $GREETING\\n"; } }\n' >"$SHARED/templates/default.conf.template" &&
    run web web -v "$SHARED/templates:/etc/nginx/templates:ro" -e GREETING=hello
}
check() { get web / 80 | says 'of the template: hello' && inside web grep -q 'worker_processes 2' /etc/nginx/nginx.conf; }
kept() { check; }
