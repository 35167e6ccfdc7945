# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Several programs below one supervisor, whose configuration names the image's account for each.

kind='supervisors and jobs'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN apt-get install -y --no-install-recommends supervisor
RUN useradd --system --uid 995 --user-group panel && mkdir -p /var/lib/panel && chown panel:panel /var/lib/panel
COPY panel.conf /etc/supervisor/conf.d/
CMD ["supervisord", "-n", "-c", "/etc/supervisor/supervisord.conf"]
DOCKERFILE
  file app panel.conf 644 <<'CONF'
[program:panel]
command=serve /var/lib/panel
user=panel
stdout_logfile=/var/log/supervisor/panel.log

[program:worker]
command=sh -c "while date >/var/lib/panel/worked; do sleep 1; done"
stdout_logfile=/dev/stdout
stdout_logfile_maxbytes=0
CONF
}
start() { run app app -v "$BOX-data:/var/lib/panel"; }
check() { get app /worked && stores app; }
kept() { stored app; }
