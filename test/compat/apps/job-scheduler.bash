# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A scheduler in the container: a table, a lock in /var/run, a log, and a mail spool.

kind='supervisors and jobs'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /var/spool/jobs && printf '* date >/data/tick\n* touch /var/spool/jobs/done\n' >/etc/jobs
COPY scheduler /usr/local/bin/
CMD ["scheduler"]
DOCKERFILE
  file app scheduler <<'SH'
#!/bin/bash
set -e
echo $$ >/var/run/scheduler.pid
serve /data &
server=$!
trap 'kill "$server"; exit 0' TERM
while :; do
  while read -r _ command; do
    flock /var/lock/scheduler sh -ec "$command" >>/var/log/scheduler.log 2>&1
  done </etc/jobs
  sleep 0.5 &
  wait $!
done
SH
}
start() { run app app -v "$BOX-data:/data"; }
check() { get app /tick && inside app test -e /var/spool/jobs/done && stores app; }
kept() { stored app; }
adopt=1
