"""What is SQLite's own: the file's safety, other writers, other formats, damage."""

from __future__ import annotations

import sqlite3
import stat
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, IntegrityFailed, VitrifyError
from vitrify.ports import Operation, Slots
from vitrify.stores import state_format
from vitrify.stores.sqlite import SqliteStateStore
from vitrify.testing.state_suite import a_release, an_operation


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "project" / "state.db"


@pytest.fixture
def store(path: Path) -> Iterator[SqliteStateStore]:
    with SqliteStateStore(path, patience=0.05) as store:
        yield store


def test_only_the_owner_can_look(store: SqliteStateStore, path: Path) -> None:
    store.begin(a_release(), an_operation())
    modes = {found.name: stat.S_IMODE(found.stat().st_mode) for found in (path.parent, *path.parent.iterdir())}
    assert modes == {"project": 0o700, "state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


def test_a_file_that_others_could_read_is_closed_to_them(path: Path) -> None:
    SqliteStateStore(path).close()
    path.chmod(0o644)
    SqliteStateStore(path).close()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_write_is_synced_to_the_disk_before_it_returns(store: SqliteStateStore) -> None:
    with store._reading() as database:  # noqa: SLF001 - a setting of the connection that nothing else shows
        settings = [database.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous", "foreign_keys")]
    assert settings == ["wal", 2, 1]


def test_a_second_writer_waits_and_is_then_told_to_come_back(store: SqliteStateStore, path: Path) -> None:
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(Busy, match="another process is writing"):
            store.begin(a_release(), an_operation())
        assert store.releases("web") == ()
        other.rollback()
    assert store.begin(a_release(), an_operation())[0].number == 1


def test_readers_are_not_held_up_by_a_writer(store: SqliteStateStore, path: Path) -> None:
    store.begin(a_release(), an_operation())
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN IMMEDIATE")
        other.execute("UPDATE release_states SET state = 'live'")
        assert store.releases("web")[0].state == "prepared"


def test_a_database_of_a_newer_vitrify_is_left_alone(path: Path) -> None:
    SqliteStateStore(path).close()
    with closing(sqlite3.connect(path)) as database:
        database.execute("PRAGMA user_version = 99")
    before = path.read_bytes()
    with pytest.raises(VitrifyError, match="newer vitrify") as caught:
        SqliteStateStore(path)
    assert "version 99" in caught.value.diagnostics[0].why
    assert path.read_bytes() == before


def test_a_database_of_another_program_is_left_alone(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.execute("CREATE TABLE recipes (name TEXT)")
    with pytest.raises(IntegrityFailed, match="another program"):
        SqliteStateStore(path)


def test_a_file_that_is_no_database_is_named_damaged(path: Path) -> None:
    path.parent.mkdir()
    path.write_bytes(b"this is not a database, whatever its name says" * 40)
    with pytest.raises(IntegrityFailed, match="is damaged") as caught:
        SqliteStateStore(path)
    assert "move it away" in caught.value.diagnostics[0].hint


def test_a_damaged_page_is_named_so_and_not_read_around(path: Path) -> None:
    with SqliteStateStore(path) as store:
        for number in range(40):
            store.begin(a_release(image="sha256:" + "a" * 2000), an_operation(f"op-{number}"))
            store.finish(f"op-{number}", slots=None, states={})
    content = bytearray(path.read_bytes())
    for at in range(4096, len(content)):
        content[at] ^= 0x5A
    path.write_bytes(bytes(content))
    with pytest.raises(IntegrityFailed, match="is damaged"), SqliteStateStore(path) as store:
        store.releases("web")


def test_a_folder_in_the_way_is_an_error_for_a_person(path: Path) -> None:
    path.mkdir(parents=True)
    with pytest.raises(VitrifyError, match="cannot be used"):
        SqliteStateStore(path)


def test_closing_twice_is_harmless_and_what_was_written_is_there_again(path: Path) -> None:
    first = SqliteStateStore(path)
    kept, _ = first.begin(a_release(), an_operation())
    first.close()
    first.close()
    with SqliteStateStore(path) as again:
        assert again.release("web", 1) == kept


_SECOND_FORMAT = """
    INSERT INTO releases VALUES ('web', 1, 'sha256:aa', '{"replicas": 1}', '{}', 1.0, 'stopped');
    INSERT INTO releases VALUES ('web', 2, 'sha256:bb', '{"host": {"name": "ssh://north", "address": "north"}}', '{}', 2.0, 'warm');
    INSERT INTO releases VALUES ('web', 3, 'sha256:cc', '{"host": {"name": "ssh://north", "address": "north"}}', '{}', 3.0, 'live');
    INSERT INTO releases VALUES ('db', 1, 'sha256:dd', '{}', '{}', 4.0, 'discarded');
    INSERT INTO operations VALUES ('op-1', 'web', 'rollback', 2, 'gate', '{"keep": []}', 1);
    INSERT INTO operations VALUES ('op-0', 'web', 'release', 1, 'retire', '{}', 0);
    INSERT INTO slots VALUES ('web', 3, 2);
    INSERT INTO slots VALUES ('db', NULL, NULL);
"""


def test_what_was_kept_by_server_alone_belongs_to_the_host_that_its_release_was_for(path: Path) -> None:
    path.parent.mkdir()
    with closing(sqlite3.connect(path)) as database:
        database.executescript("".join(state_format._MIGRATIONS[:2]))  # noqa: SLF001 - the format as it was
        database.executescript(_SECOND_FORMAT)
        database.executescript(f"PRAGMA application_id = {state_format._OURS}; PRAGMA user_version = 2")  # noqa: SLF001 - likewise
    north = Host("ssh://north", address="north")

    with SqliteStateStore(path) as store:
        assert store.hosts("web") == (Host("local"), north)
        assert (store.slots("web", "ssh://north"), store.slots("web", "local")) == (Slots(3, 2), Slots())
        assert [(one.number, one.state) for one in store.releases("web", host="ssh://north")] == [(3, "live"), (2, "warm")]
        assert [(one.number, one.state) for one in store.releases("web", host="local")] == [(1, "stopped")]
        assert store.open_operations("web") == (Operation("op-1", "web", north, "rollback", 2, "gate", {"keep": []}),)
        assert [(one.number, one.state) for one in store.releases("db")] == [(1, "discarded")]
        assert store.begin(a_release(), an_operation("op-2"))[0].number == 4


def test_a_file_that_was_brought_to_the_newest_format_is_whole(path: Path) -> None:
    test_what_was_kept_by_server_alone_belongs_to_the_host_that_its_release_was_for(path)
    new = path.parent / "new.db"
    SqliteStateStore(new).close()
    shapes = []
    for place in (path, new):
        with closing(sqlite3.connect(place)) as database:
            assert database.execute("PRAGMA foreign_key_check").fetchall() == []
            assert database.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            shapes.append(database.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall())
    assert shapes[0] == shapes[1]
