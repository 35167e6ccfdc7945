# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A server's socket on a volume, of mode 0700, and a client of another image.

kind='shared volumes'
images() {
  image client <<'DOCKERFILE'
FROM compat/base
RUN useradd --uid 1600 --user-group web
CMD ["sleep", "1000"]
DOCKERFILE
}
start() {
  run server base -v "$BOX-run:/run/app" -v "$BOX-data:/data" -- sh -c 'umask 077; exec serve /data /run/app/socket' &&
    run client client -v "$BOX-run:/run/app" -- sh -c 'trap "exit 0" TERM; sleep 1000 & wait'
}
talk() {
  inside client python3 -c 'import socket,sys
s = socket.socket(socket.AF_UNIX)
s.connect("/run/app/socket")
body = sys.argv[2]
s.sendall(f"{sys.argv[1]} HTTP/1.0\r\nContent-Length: {len(body)}\r\n\r\n{body}".encode())
print(s.makefile().read())' "$@"
}
check() { talk "PUT /round-$ROUND" written | says 201 && talk "GET /round-$ROUND" '' | says written; }
kept() { talk 'GET /round-1' '' | says written; }
adopt=1
