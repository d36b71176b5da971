"""The kinds `postgres_user` and `postgres_database` with a real server in a folder of its own."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from postgres_server import LACKING, OWNER, Server, started
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.system import Target
from vitrify.testing.memory_system import MemorySystem
from vitrify.testing.this_host import ThisHost

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.xdist_group("postgres"),
    pytest.mark.skipif(bool(LACKING), reason=LACKING or "it is installed"),
]


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with started() as server:
        yield server


def test_a_role_is_created_changed_and_dropped(server: Server) -> None:
    server.converge("postgres_user", "ada")
    assert server.sql("SELECT rolcanlogin, rolcreatedb FROM pg_roles WHERE rolname = 'ada'").stdout == "t|f\n"

    change = server.converge("postgres_user", "ada", createdb=True, connection_limit=5, login=False)
    assert change is not None
    assert change.undoable
    assert server.sql("SELECT rolcanlogin, rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = 'ada'").stdout == "f|t|5\n"
    server.host.take_back(change)
    assert server.sql("SELECT rolcanlogin, rolcreatedb, rolconnlimit FROM pg_roles WHERE rolname = 'ada'").stdout == "t|f|-1\n"

    server.converge("postgres_user", "ada", absent=True)
    assert server.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'ada'").stdout == "0\n"


@pytest.mark.parametrize("password", ["hunter2", "it's; DROP ROLE x; --\\!", "grüße\u00a0Ⅸ", " spaces "])
def test_a_password_lets_in_and_is_in_no_log_and_no_plan(server: Server, password: str) -> None:
    change = server.converge("postgres_user", "bob", password=server.host.content(password, secret=True))

    assert change is not None
    assert server.sql("SELECT 1", user="bob", password=password).stdout == "1\n"
    assert server.sql("SELECT 1", user="bob", password="other").returncode != 0  # noqa: S106  the wrong one
    assert password.strip() not in server.log()
    assert password.strip() not in str(change.to_json())


def test_a_password_that_somebody_changed_is_put_back(server: Server) -> None:
    digest = server.host.content("first", secret=True)
    server.converge("postgres_user", "cy", password=digest)
    server.sql("ALTER ROLE cy PASSWORD 'second'")

    change = server.converge("postgres_user", "cy", password=digest)

    assert change is not None
    assert change.because == ("the password differs",)
    assert not change.undoable


def test_a_role_is_a_member_of_those_declared_and_stays_one_of_others(server: Server) -> None:
    for group in ("readers", "writers"):
        server.converge("postgres_user", group, login=False)
    server.converge("postgres_user", "dan", member_of=["readers"])
    server.converge("postgres_user", "dan", member_of=["writers"])

    assert server.sql("SELECT count(*) FROM pg_auth_members m JOIN pg_roles r ON r.oid = m.member WHERE r.rolname = 'dan'").stdout == "2\n"


@pytest.mark.parametrize("name", ['a"b', "it's", "x; DROP TABLE y", "grüße", "a:b", "\\! ls", "A b"])
def test_any_name_is_a_name(server: Server, name: str) -> None:
    server.converge("postgres_user", name)
    server.converge("postgres_database", name, owner=name, extensions=["plpgsql"])
    server.converge("postgres_database", name, absent=True)
    server.converge("postgres_user", name, absent=True)


def test_a_role_that_owns_something_is_not_dropped(server: Server) -> None:
    server.converge("postgres_user", "eve")
    server.converge("postgres_database", "eves", owner="eve")

    with pytest.raises(TargetFailed, match="owner of database eves"):
        server.converge("postgres_user", "eve", absent=True)


def test_a_database_is_created_given_to_another_and_dropped(server: Server) -> None:
    server.converge("postgres_user", "fay")
    made = server.converge("postgres_database", "shop", encoding="UTF8", collate="C", ctype="C")
    change = server.converge("postgres_database", "shop", owner="fay", connection_limit=3)

    assert change is not None
    assert f"owner {OWNER} -> fay" in change.because
    server.host.take_back(change)
    assert server.host.plan(server.wish("postgres_database", "shop", owner=OWNER, connection_limit=-1)) is None
    assert made is not None
    server.host.take_back(made)
    assert server.sql("SELECT count(*) FROM pg_database WHERE datname = 'shop'").stdout == "0\n"


def test_a_database_that_holds_tables_is_dropped_by_force_alone(server: Server) -> None:
    server.converge("postgres_database", "full")
    server.sql("CREATE TABLE precious (id int)", database="full")

    with pytest.raises(TargetFailed, match="it holds 1 tables"):
        server.converge("postgres_database", "full", absent=True)
    server.converge("postgres_database", "full", absent=True, force=True)

    assert server.sql("SELECT count(*) FROM pg_database WHERE datname = 'full'").stdout == "0\n"


def test_what_cannot_be_changed_is_told(server: Server) -> None:
    server.converge("postgres_database", "fixed")
    wish = server.wish("postgres_database", "fixed", encoding="SQL_ASCII")

    change = server.host.plan(wish)
    assert change is not None
    assert change.because == ("encoding UTF8 -> SQL_ASCII: cannot be changed, this will fail",)
    with pytest.raises(TargetFailed, match="the encoding of the database fixed cannot be changed"):
        server.host.converge(wish)


def test_a_server_that_does_not_run_is_told_by_the_plan(server: Server) -> None:
    wish = server.host.wish("postgres_user", name="ada", socket="/nowhere", user=OWNER)

    change = server.host.plan(wish)

    assert change is not None
    assert change.because == ("the server cannot be asked (psql ended with 2): this will fail unless it runs by then",)
    with pytest.raises(TargetFailed, match="psql ended with 2"):
        server.host.converge(wish)


def test_where_no_server_can_be_all_is_as_wished(server: Server) -> None:
    system = MemorySystem(target=Target.FOLDER)
    for kind in ("postgres_user", "postgres_database"):
        wish = server.wish(kind, "ada")
        known = server.host.kinds[kind]
        assert known.observe(wish, system).properties == known.desired(wish)
        assert system.acts == []


@pytest.mark.parametrize(
    ("kind", "fields", "summary"),
    [
        ("postgres_user", {"name": "a" * 64}, f"{'a' * 64!r} is not a name"),
        ("postgres_user", {"name": "pg_x"}, "this name is the server's own"),
        ("postgres_user", {"name": "a", "port": 0}, "0 is not a port"),
        ("postgres_user", {"name": "a", "connection_limit": -2}, "-2 is no number of connections"),
        ("postgres_database", {"name": "template1"}, "this database is the server's own"),
        ("postgres_database", {"name": "a\nb"}, "'a\\nb' is not a name"),
    ],
)
def test_what_makes_no_sense_is_refused(kind: str, fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in ThisHost().kinds[kind].schema.problems(fields)] == [summary]
