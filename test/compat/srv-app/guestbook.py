#!/usr/bin/env python3
# SPDX-License-Identifier: Apache-2.0
"""A guest book that keeps what is posted to it below /srv, wherever it is started."""
import http.server
import sqlite3

BOOK = "/srv/guestbook/entries/book.db"


class Guestbook(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with sqlite3.connect(BOOK) as book:
            book.execute("CREATE TABLE IF NOT EXISTS visits (path TEXT)")
            book.execute("INSERT INTO visits VALUES (?)", (self.path,))
            count = book.execute("SELECT count(*) FROM visits").fetchone()[0]
        body = f"visit {count}\n".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


http.server.HTTPServer(("", 80), Guestbook).serve_forever()
