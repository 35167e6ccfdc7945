# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Scripts that come on a volume are made executable before they are run.

kind='closed to others'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /opt/hooks && printf '#!/bin/sh\necho hooked\n' >/opt/hooks/first.sh && chmod 600 /opt/hooks/first.sh
COPY start.sh /
VOLUME /opt/hooks /var/lib/hooked
CMD ["/start.sh"]
DOCKERFILE
  file app start.sh 700 <<'SH'
#!/bin/sh
set -e
chmod +x /opt/hooks/*.sh
for hook in /opt/hooks/*.sh; do "$hook" >/var/lib/hooked/output; done
exec serve /var/lib/hooked
SH
}
start() { run app app -v "$BOX-hooks:/opt/hooks" -v "$BOX-state:/var/lib/hooked"; }
check() { get app /output | says hooked && stores app; }
kept() { stored app; }
adopt=1
