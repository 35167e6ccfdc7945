# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# What renews certificates and the web server that uses them: a key of mode 0600 in a directory of mode 0700.

kind='shared volumes'
adopt=1
images() {
  image certbot <<'DOCKERFILE'
FROM compat/base
COPY certonly /usr/local/bin/
VOLUME /etc/letsencrypt /var/lib/letsencrypt
ENTRYPOINT ["certonly"]
DOCKERFILE
  file certbot certonly <<'SH'
#!/bin/sh
set -e
umask 077
mkdir -p /etc/letsencrypt/archive/site /etc/letsencrypt/live/site
openssl req -x509 -newkey rsa:2048 -nodes -days 1 -subj "/CN=round-$1" -keyout /etc/letsencrypt/archive/site/key.pem -out /etc/letsencrypt/archive/site/cert.pem
chmod 600 /etc/letsencrypt/archive/site/key.pem
ln -sf ../../archive/site/key.pem ../../archive/site/cert.pem /etc/letsencrypt/live/site/
date >>/var/lib/letsencrypt/renewals
SH
  image web <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends nginx-light
RUN rm -f /etc/nginx/sites-enabled/default && \
    printf 'server { listen 443 ssl; ssl_certificate /etc/letsencrypt/live/site/cert.pem; ssl_certificate_key /etc/letsencrypt/live/site/key.pem; return 200 secure; }\n' >/etc/nginx/conf.d/tls.conf
CMD ["nginx", "-g", "daemon off;"]
DOCKERFILE
}
start() {
  job certbot certbot -v "$BOX-certs:/etc/letsencrypt" -v "$BOX-state:/var/lib/letsencrypt" -- "$ROUND" &&
    run web web -v "$BOX-certs:/etc/letsencrypt:ro"
}
check() { curl -kfsS --max-time 5 "https://$(address web)/" | says secure; }
kept() { check; }
