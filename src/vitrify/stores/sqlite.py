"""State in one SQLite file: releases, slots and open operations of one project, each write durable and atomic."""

from __future__ import annotations

import json
import os
import sqlite3
import stat
import threading
import time
import zlib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from types import TracebackType
from typing import Self

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, IntegrityFailed, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.release import foremost
from vitrify.ports import Operation, Release, Slots
from vitrify.stores.state_format import one, prepare

PATIENCE = 5.0
"""Seconds to wait for another process that writes."""

_ADD_RELEASE = "INSERT INTO releases (server, number, image, settings, resources, created_at) VALUES (?, ?, ?, ?, ?, ?)"
_ADD_HOST = "INSERT INTO hosts (server, host, at) VALUES (?, ?, ?) ON CONFLICT (server, host) DO UPDATE SET at = excluded.at"
_ADD_STATE = "INSERT OR IGNORE INTO release_states (server, number, host, state) VALUES (?, ?, ?, ?)"
_SET_STATE = "INSERT OR REPLACE INTO release_states (server, number, host, state) VALUES (?, ?, ?, ?)"
_SET_SLOTS = "INSERT OR REPLACE INTO slots (server, host, live, previous) VALUES (?, ?, ?, ?)"
_ADD_OPERATION = "INSERT INTO operations (id, server, host, kind, release, step, data, open) VALUES (?, ?, ?, ?, ?, ?, ?, 1)"
_OPERATIONS = """
    SELECT operations.*, hosts.at FROM operations JOIN hosts ON hosts.server = operations.server AND hosts.host = operations.host
    WHERE operations.open = 1 AND
"""
_RELEASES = """
    SELECT
        releases.*,
        group_concat(release_states.state) AS states,
        (SELECT json_group_array(note) FROM notes WHERE notes.server = releases.server AND notes.number = releases.number) AS notes
    FROM releases JOIN release_states ON release_states.server = releases.server AND release_states.number = releases.number
    WHERE releases.server = ? AND (? = '' OR release_states.host = ?)
"""


class SqliteStateStore:
    """The StateStore on a file, which is made where there is none: mode 0600, in a folder of mode 0700.

    Any number of processes and threads may have it open. One that must wait for another's write longer than `patience`
    seconds gets `Busy`.
    """

    def __init__(self, path: Path, *, patience: float = PATIENCE) -> None:
        self._path = path
        self._patience = patience
        self._turn = threading.Lock()
        with self._translated():
            _make_private(path)
            self._connection = sqlite3.connect(path, timeout=patience, isolation_level=None, check_same_thread=False)
        self._connection.row_factory = sqlite3.Row
        try:
            with self._translated():
                self._prepare()
        except BaseException:
            self._connection.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def close(self) -> None:
        """Let go of the file; repeating it is harmless."""
        with self._turn:
            self._connection.close()

    def releases(self, server: str, *, host: str = "") -> tuple[Release, ...]:
        """All releases of a server, newest first; with a host, those that were ever begun there."""
        with self._reading() as database:
            rows = database.execute(f"{_RELEASES} GROUP BY releases.number ORDER BY releases.number DESC", (server, host, host))
            return tuple(map(_release, rows))

    def release(self, server: str, number: int, *, host: str = "") -> Release | None:
        """One release; with a host, None where it was never begun there."""
        with self._reading() as database:
            return _find_release(database, server, number, host=host)

    def begin(self, release: Release, operation: Operation) -> tuple[Release, Operation]:
        """Open an operation, atomically with its release where that is new (number 0 asks for the next number)."""
        with self._writing() as database:
            running = _open_operation(database, release.server, operation.host.name)
            if running is not None and running.id == operation.id:
                return _known_release(database, release.server, running.release, host=running.host.name), running
            if running is not None:
                raise Busy(
                    f"a {running.kind} of {release.server} on {running.host.name} is not finished",
                    why=f"operation {running.id} came as far as {running.step or 'its beginning'}",
                    hint=f"`vitrify apply` finishes it; then {operation.kind} again",
                )
            kept = _known_release(database, release.server, release.number) if release.number else _add_release(database, release)
            opened = replace(operation, server=release.server, release=kept.number)
            return _add_operation(database, opened, state=release.state), opened

    def advance(self, operation: str, *, step: str, data: JSONObject) -> Operation:
        """Note that a step's outcome is durable; `data` replaces what was kept."""
        with self._writing() as database:
            found = replace(_open_by_id(database, operation), step=step, data=data)
            database.execute("UPDATE operations SET step = ?, data = ? WHERE id = ?", (step, json.dumps(data), operation))
            return found

    def finish(self, operation: str, *, slots: Slots | None, states: Mapping[int, str]) -> None:
        """Close an operation, atomically with the slots and release states that it led to."""
        with self._writing() as database:
            closing = _open_by_id(database, operation)
            server, host = closing.server, closing.host.name
            for number, state in states.items():
                _known_release(database, server, number)
                database.execute(_SET_STATE, (server, number, host, state))
            if slots is not None:
                database.execute(_SET_SLOTS, (server, host, slots.live, slots.previous))
            database.execute("UPDATE operations SET open = 0 WHERE id = ?", (operation,))

    def open_operation(self, server: str, host: str) -> Operation | None:
        """The operation on this host that has not been closed, if any."""
        with self._reading() as database:
            return _open_operation(database, server, host)

    def note(self, server: str, number: int, note: str) -> None:
        """Add to the notes of a release; repeating it is harmless."""
        with self._writing() as database:
            _known_release(database, server, number)
            database.execute("INSERT OR IGNORE INTO notes (server, number, note) VALUES (?, ?, ?)", (server, number, note))

    def open_operations(self, server: str) -> tuple[Operation, ...]:
        """Those of all hosts, by the host's name."""
        with self._reading() as database:
            rows = database.execute(f"{_OPERATIONS} operations.server = ? ORDER BY operations.host", (server,))
            return tuple(map(_operation, rows))

    def slots(self, server: str, host: str) -> Slots:
        """Live and previous on this host."""
        with self._reading() as database:
            row = database.execute("SELECT live, previous FROM slots WHERE server = ? AND host = ?", (server, host)).fetchone()
            return Slots(row["live"], row["previous"]) if row else Slots()

    def hosts(self, server: str) -> tuple[Host, ...]:
        """Every host on which a release of this server was ever begun, by name."""
        with self._reading() as database:
            rows = database.execute("SELECT at FROM hosts WHERE server = ? ORDER BY host", (server,))
            return tuple(Host.from_json(json.loads(row["at"])) for row in rows)

    def servers(self) -> tuple[str, ...]:
        """Every server that has a release, by name."""
        with self._reading() as database:
            return tuple(server for (server,) in database.execute("SELECT DISTINCT server FROM releases ORDER BY server"))

    def managed(self) -> tuple[tuple[str, str], ...]:
        """Server and host of every place that is changed in place, in order."""
        with self._reading() as database:
            return tuple((row["server"], row["host"]) for row in database.execute("SELECT server, host FROM managed ORDER BY server, host"))

    def manage(self, server: str, host: str) -> None:
        """Note such a place."""
        with self._writing() as database:
            database.execute("INSERT OR IGNORE INTO managed (server, host) VALUES (?, ?)", (server, host))

    def keep_baseline(self, host: str, folder: str, *, seal: str, content: bytes) -> None:
        """Keep this copy of what a host compares a folder with, instead of an older one."""
        row = (host, folder, seal, zlib.compress(content, 1))
        with self._writing() as database:
            database.execute("INSERT OR REPLACE INTO baselines (host, folder, seal, content) VALUES (?, ?, ?, ?)", row)

    def baselines(self, host: str) -> Mapping[str, str]:
        """Folder -> seal of each copy that is kept for a host."""
        with self._reading() as database:
            rows = database.execute("SELECT folder, seal FROM baselines WHERE host = ? ORDER BY folder", (host,))
            return {row["folder"]: row["seal"] for row in rows}

    def baseline(self, seal: str) -> bytes | None:
        """A copy; None where there is none with this seal."""
        with self._reading() as database:
            row = database.execute("SELECT content FROM baselines WHERE seal = ?", (seal,)).fetchone()
        return zlib.decompress(row["content"]) if row else None

    def turn(self, name: str) -> int:
        """A number one greater than the last time for this name."""
        with self._writing() as database:
            database.execute("INSERT INTO turns (name, number) VALUES (?, 1) ON CONFLICT (name) DO UPDATE SET number = number + 1", (name,))
            row = database.execute("SELECT number FROM turns WHERE name = ?", (name,)).fetchone()
            return int(row["number"])

    def forget(self, server: str, host: str) -> None:
        """Forget it, and the copies of a host that nothing is left on."""
        with self._writing() as database:
            database.execute("DELETE FROM managed WHERE server = ? AND host = ?", (server, host))
            database.execute("DELETE FROM baselines WHERE host = ? AND host NOT IN (SELECT host FROM managed)", (host,))

    def _prepare(self) -> None:
        self._connection.execute("PRAGMA foreign_keys = ON")
        self._connection.execute("PRAGMA synchronous = FULL")
        self._patiently_use_wal()
        with self._transaction() as database:
            prepare(database, self._path)

    def _patiently_use_wal(self) -> None:
        """Turning a new file to WAL needs it alone, and SQLite does not wait for that by itself."""
        deadline = time.monotonic() + self._patience
        while one(self._connection, "PRAGMA journal_mode") != "wal":
            try:
                self._connection.execute("PRAGMA journal_mode = WAL")
            except sqlite3.OperationalError as error:
                if _code(error) != sqlite3.SQLITE_BUSY or time.monotonic() > deadline:
                    raise
                time.sleep(0.01)

    @contextmanager
    def _reading(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._translated():
            yield self._connection

    @contextmanager
    def _writing(self) -> Iterator[sqlite3.Connection]:
        with self._turn, self._translated(), self._transaction() as database:
            yield database

    @contextmanager
    def _transaction(self) -> Iterator[sqlite3.Connection]:
        # IMMEDIATE: whoever comes second waits here, before it has read anything that the first is about to change.
        self._connection.execute("BEGIN IMMEDIATE")
        try:
            yield self._connection
        except BaseException:
            self._connection.rollback()
            raise
        self._connection.commit()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """SQLite's and the system's errors as ours."""
        try:
            yield
        except sqlite3.Error as error:
            raise _translate(error, self._path) from error
        except OSError as error:
            raise VitrifyError(f"the state {self._path} cannot be used", why=error.strerror or "", hint=_room(self._path)) from error


_SCARCE = 1 << 20
"""Fewer free bytes than this, and SQLite may find no room for what it keeps beside the database."""


def _make_private(path: Path) -> None:
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    try:
        if stat.S_IMODE(os.fstat(descriptor).st_mode) & 0o077:
            os.fchmod(descriptor, 0o600)
    finally:
        os.close(descriptor)


def _code(error: sqlite3.Error) -> int:
    """SQLite's primary result code; 0 where Python itself refuses."""
    return int(getattr(error, "sqlite_errorcode", 0)) & 0xFF


def _translate(error: sqlite3.Error, path: Path) -> VitrifyError:
    match _code(error):
        case sqlite3.SQLITE_BUSY | sqlite3.SQLITE_LOCKED:
            return Busy(f"another process is writing to {path}", hint="run the same command again when it is done")
        case sqlite3.SQLITE_CORRUPT | sqlite3.SQLITE_NOTADB:
            hint = "move it away: releases are in the ledger, instances carry their labels"
            return IntegrityFailed(f"the state {path} is damaged", why=str(error), hint=hint)
        case sqlite3.SQLITE_CONSTRAINT:
            return VitrifyError("the state refuses what contradicts it", why=str(error))
        case _:
            return VitrifyError(f"the state {path} cannot be used", why=str(error), hint=_room(path))


def _room(path: Path) -> str:
    """What to do, from what its filesystem says: SQLite calls a full one an I/O error, wherever it happens to meet it."""
    try:
        told = os.statvfs(path.parent)
    except OSError:
        return ""
    if told.f_flag & os.ST_RDONLY:
        return "its filesystem is read-only: mount it writable, or set VITRIFY_HOME to a folder that is"
    if told.f_bavail * told.f_frsize < _SCARCE:
        return "its filesystem is full: free space on it, then run the same command again"
    return ""


def _release(row: sqlite3.Row) -> Release:
    return Release(
        server=row["server"],
        number=row["number"],
        image=row["image"],
        settings=json.loads(row["settings"]),
        resources=json.loads(row["resources"]),
        created_at=row["created_at"],
        state=foremost(row["states"].split(",")),
        notes=frozenset(json.loads(row["notes"])),
    )


def _find_release(database: sqlite3.Connection, server: str, number: int, *, host: str = "") -> Release | None:
    row = database.execute(f"{_RELEASES} AND releases.number = ? GROUP BY releases.number", (server, host, host, number)).fetchone()
    return _release(row) if row else None


def _known_release(database: sqlite3.Connection, server: str, number: int, *, host: str = "") -> Release:
    found = _find_release(database, server, number, host=host)
    if found is None:
        raise VitrifyError(f"{server} has no release {number}", hint="`vitrify releases` lists them")
    return found


def _add_release(database: sqlite3.Connection, release: Release) -> Release:
    (number,) = database.execute("SELECT coalesce(max(number), 0) + 1 FROM releases WHERE server = ?", (release.server,)).fetchone()
    settings, resources = json.dumps(release.settings), json.dumps(dict(release.resources))
    database.execute(_ADD_RELEASE, (release.server, number, release.image, settings, resources, release.created_at))
    return replace(release, number=number, notes=frozenset())


def _add_operation(database: sqlite3.Connection, opened: Operation, *, state: str) -> Release:
    """The release as it is on the operation's host: in this state, where it is new there."""
    server, host = opened.server, opened.host.name
    database.execute(_ADD_HOST, (server, host, json.dumps(opened.host.to_json())))
    database.execute(_ADD_STATE, (server, opened.release, host, state))
    database.execute(_ADD_OPERATION, (opened.id, server, host, opened.kind, opened.release, opened.step, json.dumps(opened.data)))
    return _known_release(database, server, opened.release, host=host)


def _operation(row: sqlite3.Row) -> Operation:
    return Operation(
        id=row["id"],
        server=row["server"],
        host=Host.from_json(json.loads(row["at"])),
        kind=row["kind"],
        release=row["release"],
        step=row["step"],
        data=json.loads(row["data"]),
    )


def _open_operation(database: sqlite3.Connection, server: str, host: str) -> Operation | None:
    row = database.execute(f"{_OPERATIONS} operations.server = ? AND operations.host = ?", (server, host)).fetchone()
    return _operation(row) if row else None


def _open_by_id(database: sqlite3.Connection, operation: str) -> Operation:
    row = database.execute(f"{_OPERATIONS} operations.id = ?", (operation,)).fetchone()
    if row is None:
        raise Busy(f"operation {operation} is not open", why="another process may have finished it", hint="run the same command again")
    return _operation(row)
