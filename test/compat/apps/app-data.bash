# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# The data is below the application, which is not the working directory.

kind='top-level directories'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
RUN mkdir -p /app/data /app/bin
COPY start.sh /app/bin/
CMD ["/app/bin/start.sh"]
DOCKERFILE
  file app start.sh <<'SH'
#!/bin/sh
set -e
mkdir -p /app/data/uploads /app/plugins
date >/app/plugins/index
exec serve /app/data/uploads
SH
}
start() { run app app -v "$BOX-data:/app/data"; }
check() { stores app; }
kept() { stored app; }
adopt=1
