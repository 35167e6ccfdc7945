# shellcheck shell=bash disable=SC2034
# SPDX-License-Identifier: Apache-2.0
# A database in a file, whose journal lies beside it.

kind='volumes from before'
adopt=1
images() {
  image app <<'DOCKERFILE'
FROM compat/base
COPY app.py /app/app.py
WORKDIR /app
CMD ["python3", "/app/app.py"]
DOCKERFILE
  file app app.py 644 <<'PY'
import http.server
import os
import signal
import sqlite3

signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
os.makedirs("/app/instance", exist_ok=True)


def query(*args):
    with sqlite3.connect("/app/instance/app.db") as db:
        return db.execute(*args).fetchall()


query("CREATE TABLE IF NOT EXISTS notes (text TEXT)")


class Handler(http.server.BaseHTTPRequestHandler):
    def answer(self, code, text):
        self.send_response(code)
        self.end_headers()
        self.wfile.write(text.encode())

    def do_PUT(self):
        try:
            query("INSERT INTO notes VALUES (?)", (self.path[1:],))
            self.answer(201, "")
        except sqlite3.Error as err:
            print(err, flush=True)
            self.answer(500, str(err))

    def do_GET(self):
        self.answer(200, "".join(text + "\n" for (text,) in query("SELECT text FROM notes")))


http.server.HTTPServer(("", 8080), Handler).serve_forever()
PY
}
start() { run app app -v "$BOX-db:/app/instance"; }
check() { put app "/round-$ROUND" x && get app / | says "^round-$ROUND"; }
kept() { get app / | says '^round-1'; }
