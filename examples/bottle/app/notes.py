"""A board of notes, kept in a database that outlives releases."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing

from bottle import Bottle, request

DATABASE = "/var/lib/notes/notes.db"
app = Bottle()


def database() -> sqlite3.Connection:
    """A connection of this request's own, to tables that are there."""
    connection = sqlite3.connect(DATABASE)
    connection.execute("CREATE TABLE IF NOT EXISTS notes (text TEXT NOT NULL)")
    return connection


@app.get("/healthz")
def healthy() -> str:
    """For whoever decides whether this instance gets traffic."""
    return "ok"


@app.get("/")
def notes() -> str:
    """All notes, oldest first."""
    with closing(database()) as board:
        return json.dumps([text for (text,) in board.execute("SELECT text FROM notes ORDER BY rowid")])


@app.post("/")
def add() -> str:
    """One more note."""
    with closing(database()) as board, board:
        board.execute("INSERT INTO notes VALUES (?)", (request.forms["text"],))
    return notes()
