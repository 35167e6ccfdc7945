# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A collector of logs binds the socket where programs look for it.

kind='sockets in /dev'
volumes=0
by_design="/dev is the runtime's, and is never given. Bind /run/log and mount it there, or log to standard output"
hint='/dev/log'
images() {
  image app <<'DOCKERFILE'
FROM compat/base
COPY collector /usr/local/bin/
CMD ["collector"]
DOCKERFILE
  file app collector <<'PY'
#!/usr/bin/env python3
import os
import signal
import socket

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
if os.path.exists("/dev/log"):
    os.unlink("/dev/log")
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind("/dev/log")
os.chmod("/dev/log", 0o666)
while True:
    print(s.recv(4096).decode(), flush=True)
PY
}
start() { run app app; }
check() { inside app logger --socket /dev/log "word of round $ROUND" && logged app "word of round $ROUND"; }
kept() { logged app 'word of round 1'; }
