import sqlite3

from flask import Flask

app = Flask(__name__)


@app.route("/")
def visits():
    with sqlite3.connect("visits.db") as db:
        db.execute("CREATE TABLE IF NOT EXISTS visits (at REAL)")
        db.execute("INSERT INTO visits VALUES (julianday())")
        return "visits: %d\n" % db.execute("SELECT count(*) FROM visits").fetchone()
