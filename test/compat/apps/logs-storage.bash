# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# Directories at the top that the image brings, without any volume: /logs, /storage, and the framework's below /app.

kind='top-level directories'
volumes=0
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /logs /storage/framework/cache /storage/framework/views /app/public && echo page >/app/public/index.txt
COPY start.sh /app/
WORKDIR /app
CMD ["./start.sh"]
DOCKERFILE
  file app start.sh <<'SH'
#!/bin/sh
set -e
date >>/logs/app.log
rm -rf /storage/framework/cache/*
cp public/index.txt /storage/framework/views/index.txt
ln -sfn /storage /app/public/storage
exec serve /storage/framework/views
SH
}
start() { run app app; }
check() { get app /index.txt | says page && stores app; }
kept() { stored app; }
