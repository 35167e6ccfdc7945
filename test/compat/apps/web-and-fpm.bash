# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A web server and a PHP process of two images share the site: one writes uploads, the other serves them.

kind='shared volumes'
adopt=1
images() {
  image web <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends nginx-light
RUN rm -f /etc/nginx/sites-enabled/default && mkdir -p /var/www/site && \
    printf 'server { listen 80; root /var/www/site; }\n' >/etc/nginx/conf.d/site.conf
CMD ["nginx", "-g", "daemon off;"]
DOCKERFILE
  image fpm <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 1000 --user-group app && mkdir -p /var/www/site/uploads && echo '<?php' >/var/www/site/index.php && chown -R app:app /var/www/site
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file fpm start.sh <<'SH'
#!/bin/sh
set -e
umask 022
mkdir -p /var/www/site/uploads /run/php
exec serve /var/www/site/uploads
SH
}
start() { run fpm fpm -v "$BOX-site:/var/www/site" && run web web -v "$BOX-site:/var/www/site:ro"; }
check() { put fpm "/round-$ROUND" "of round $ROUND" && get web "/uploads/round-$ROUND" 80 | says "of round $ROUND"; }
kept() { get web /uploads/round-1 80 | says 'of round 1'; }
