# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A company's authority is added to the system's list at start.

kind='configuration of the system'
volumes=0
seconds=60
by_design='what every program believes is the image'"'"'s. Add the certificate when the image is built, or mount a bundle and name it (SSL_CERT_FILE)'
hint='/etc/ssl/certs|ca-certificates'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
COPY start.sh /
CMD ["/start.sh"]
DOCKERFILE
  file app start.sh <<'SH'
#!/bin/sh
set -e
cp /company/ca.crt /usr/local/share/ca-certificates/company.crt
update-ca-certificates
mkdir -p /srv/tls
cp /etc/ssl/certs/ca-certificates.crt /srv/tls/bundle
exec serve /srv/tls
SH
}
start() {
  mkdir -p "$SHARED/company" &&
    openssl req -x509 -newkey rsa:2048 -nodes -keyout /dev/null -subj /CN=company -out "$SHARED/company/ca.crt" 2>/dev/null &&
    chmod 644 "$SHARED/company/ca.crt" && run app app -v "$SHARED/company:/company:ro"
}
check() { get app /bundle | says 'END CERTIFICATE'; }
kept() { check; }
