"""What the state's file looks like: one script for each version of its format, and how a file is brought from one to the next."""

from __future__ import annotations

import sqlite3
from pathlib import Path

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError

_OURS = 0x56495452
"""Marks the file as ours (`PRAGMA application_id`), so that a stray database is never migrated."""

_MIGRATIONS = (
    """
    CREATE TABLE releases (
        server TEXT NOT NULL,
        number INTEGER NOT NULL CHECK (number > 0),
        image TEXT NOT NULL,
        settings TEXT NOT NULL,
        resources TEXT NOT NULL,
        created_at REAL NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('prepared', 'live', 'warm', 'stopped', 'discarded', 'aborted')),
        PRIMARY KEY (server, number)
    ) WITHOUT ROWID;
    CREATE TABLE operations (
        id TEXT PRIMARY KEY NOT NULL,
        server TEXT NOT NULL,
        kind TEXT NOT NULL,
        release INTEGER NOT NULL,
        step TEXT NOT NULL,
        data TEXT NOT NULL,
        open INTEGER NOT NULL CHECK (open IN (0, 1)),
        FOREIGN KEY (server, release) REFERENCES releases (server, number)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX one_open_operation ON operations (server) WHERE open = 1;
    CREATE TABLE slots (
        server TEXT PRIMARY KEY NOT NULL,
        live INTEGER,
        previous INTEGER,
        FOREIGN KEY (server, live) REFERENCES releases (server, number),
        FOREIGN KEY (server, previous) REFERENCES releases (server, number)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE managed (
        server TEXT NOT NULL,
        host TEXT NOT NULL,
        PRIMARY KEY (server, host)
    ) WITHOUT ROWID;
    """,
    # From here on a release belongs to its server, and all else about it to a server and one of its hosts. The host of what there was
    # stood in the settings of each release. Whatever refers to a table goes before that table does: references hold at every moment.
    """
    DROP INDEX one_open_operation;
    ALTER TABLE releases RENAME TO former_releases;
    ALTER TABLE operations RENAME TO former_operations;
    ALTER TABLE slots RENAME TO former_slots;
    CREATE TABLE releases (
        server TEXT NOT NULL,
        number INTEGER NOT NULL CHECK (number > 0),
        image TEXT NOT NULL,
        settings TEXT NOT NULL,
        resources TEXT NOT NULL,
        created_at REAL NOT NULL,
        PRIMARY KEY (server, number)
    ) WITHOUT ROWID;
    CREATE TABLE hosts (
        server TEXT NOT NULL,
        host TEXT NOT NULL,
        at TEXT NOT NULL,
        PRIMARY KEY (server, host)
    ) WITHOUT ROWID;
    CREATE TABLE release_states (
        server TEXT NOT NULL,
        number INTEGER NOT NULL,
        host TEXT NOT NULL,
        state TEXT NOT NULL CHECK (state IN ('prepared', 'live', 'warm', 'stopped', 'discarded', 'aborted')),
        PRIMARY KEY (server, number, host),
        FOREIGN KEY (server, number) REFERENCES releases (server, number),
        FOREIGN KEY (server, host) REFERENCES hosts (server, host)
    ) WITHOUT ROWID;
    CREATE TABLE operations (
        id TEXT PRIMARY KEY NOT NULL,
        server TEXT NOT NULL,
        host TEXT NOT NULL,
        kind TEXT NOT NULL,
        release INTEGER NOT NULL,
        step TEXT NOT NULL,
        data TEXT NOT NULL,
        open INTEGER NOT NULL CHECK (open IN (0, 1)),
        FOREIGN KEY (server, release) REFERENCES releases (server, number),
        FOREIGN KEY (server, host) REFERENCES hosts (server, host)
    ) WITHOUT ROWID;
    CREATE UNIQUE INDEX one_open_operation ON operations (server, host) WHERE open = 1;
    CREATE TABLE slots (
        server TEXT NOT NULL,
        host TEXT NOT NULL,
        live INTEGER,
        previous INTEGER,
        PRIMARY KEY (server, host),
        FOREIGN KEY (server, host) REFERENCES hosts (server, host),
        FOREIGN KEY (server, live) REFERENCES releases (server, number),
        FOREIGN KEY (server, previous) REFERENCES releases (server, number)
    ) WITHOUT ROWID;
    INSERT INTO releases SELECT server, number, image, settings, resources, created_at FROM former_releases;
    INSERT OR REPLACE INTO hosts
        SELECT
            server,
            coalesce(json_extract(settings, '$.host.name'), 'local'),
            coalesce(json_extract(settings, '$.host'), '{"name": "local"}')
        FROM former_releases ORDER BY number;
    INSERT INTO release_states
        SELECT server, number, coalesce(json_extract(settings, '$.host.name'), 'local'), state FROM former_releases;
    INSERT INTO operations
        SELECT former.id, former.server, there.host, former.kind, former.release, former.step, former.data, former.open
        FROM former_operations AS former JOIN release_states AS there ON there.server = former.server AND there.number = former.release;
    INSERT INTO slots
        SELECT former.server, there.host, former.live, former.previous
        FROM former_slots AS former JOIN release_states AS there
        ON there.server = former.server AND there.number = coalesce(former.live, former.previous);
    DROP TABLE former_slots;
    DROP TABLE former_operations;
    DROP TABLE former_releases;
    """,
    """
    CREATE TABLE notes (
        server TEXT NOT NULL,
        number INTEGER NOT NULL,
        note TEXT NOT NULL,
        PRIMARY KEY (server, number, note),
        FOREIGN KEY (server, number) REFERENCES releases (server, number)
    ) WITHOUT ROWID;
    """,
    """
    CREATE TABLE baselines (
        host TEXT NOT NULL,
        folder TEXT NOT NULL,
        seal TEXT NOT NULL,
        content BLOB NOT NULL,
        PRIMARY KEY (host, folder)
    );
    CREATE TABLE turns (name TEXT PRIMARY KEY NOT NULL, number INTEGER NOT NULL) WITHOUT ROWID;
    """,
)
"""One script for each version of the format; a script that was released is never edited."""


def prepare(database: sqlite3.Connection, path: Path) -> None:
    """Bring the file to the newest format, within the transaction that is under way; an error where it is not ours, or newer."""
    owner, version = one(database, "PRAGMA application_id"), one(database, "PRAGMA user_version")
    new = (owner, version, one(database, "SELECT count(*) FROM sqlite_master")) == (0, 0, 0)
    if owner != _OURS and not new:
        raise IntegrityFailed(f"{path} is a database of another program", hint="move it away")
    if not isinstance(version, int) or version > len(_MIGRATIONS):
        why = f"its format is version {version}, this one knows up to {len(_MIGRATIONS)}"
        raise VitrifyError(f"{path} was written by a newer vitrify", why=why, hint="use the newer vitrify")
    for number, script in enumerate(_MIGRATIONS[version:], version + 1):
        for statement in filter(str.strip, script.split(";")):
            database.execute(statement)
        database.execute(f"PRAGMA user_version = {number}")
    database.execute(f"PRAGMA application_id = {_OURS}")


def one(database: sqlite3.Connection, query: str) -> object:
    """The only value of the only row."""
    return database.execute(query).fetchone()[0]
