"""A project in memory is assessed: what was really done there is what is measured, and a flip's obstacles are seen on its host."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from bench import Bench, a_server, do, in_place
from looking import converge, folder_of, look

from vitrify.core.assess.assessment import Assessment
from vitrify.core.assess.figure import Known
from vitrify.core.declaration import Base, Content, Host, Server
from vitrify.core.digest import JSON, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.lifecycle.assess import assess, obstacles
from vitrify.lifecycle.flip import InPlace
from vitrify.lifecycle.sent import Sent
from vitrify.resources.registry import all_kinds


def assessed(bench: Bench, *servers: Server) -> Assessment:
    return do(assess(servers, bench.world, days=30, parallel=1))


def wish(kind: str, name: str, **fields: JSON) -> Resource:
    return Resource(Address(kind, name), fields)


def test_what_was_done_to_a_server_in_place_is_what_is_measured(tmp_path: Path) -> None:
    bench, server = Bench(), folder_of(in_place(tmp_path, ("/srv/motd", "hello")), "/srv")
    converge(bench, server)
    (tmp_path / "srv/motd").write_text("intruder")
    (tmp_path / "srv/upload").write_text("state")
    look(bench, server)

    found = assessed(bench, server)

    (figures,) = found.servers
    assert figures.unauthorised == Known(2.0, 2, told="2 of them not put right yet")
    assert figures.size == Known(float(len("hello")))
    assert isinstance(figures.change, Known)
    (flip, *_) = found.advice
    assert (flip.what, flip.server) == ("flip", "web")
    assert flip.obstacles == ("holds state that nobody declared: /srv/upload", "the declaration lacks a `process` and a `base`")


def test_what_was_released_and_rolled_back_is_what_is_measured() -> None:
    bench = Bench()
    bench.apply(a_server("one"))
    bench.apply(a_server("two"))
    bench.rollback()

    (figures,) = assessed(bench, a_server("two")).servers

    assert isinstance(figures.change, Known)
    assert isinstance(figures.back, Known)
    assert (figures.change.times, figures.back.times) == (2, 1)
    assert figures.size == Known(1.0, 2, 1.0)
    assert figures.opaque == Known(0.0, 3, told="0 of 3")
    assert isinstance(figures.patched, Known)


def test_assessing_changes_nothing(tmp_path: Path) -> None:
    bench, server = Bench(), in_place(tmp_path, ("/srv/motd", "hello"))
    converge(bench, server)
    before = bench.ledger.size

    assessed(bench, server)

    assert bench.ledger.size == before


def test_a_host_that_cannot_be_looked_at_hides_nothing_of_the_others(tmp_path: Path) -> None:
    bench = Bench()
    bench.apply(a_server("one"))
    lost = replace(in_place(tmp_path, ("/srv/motd", "hello")), name="db", hosts=(Host("ssh://db", address="db"),))
    bench.unreachable = True

    found = assessed(bench, lost)

    assert "db on ssh://db" in found.problems[0]
    assert found.servers[0].obstacles[0].startswith("nobody can say what is in the way: ")


def test_everything_in_the_way_of_a_flip_is_named() -> None:
    server = replace(
        a_server(),
        base=None,
        resources=(wish("swap", "/swap"), wish("command", "make"), wish("reboot", "kernel")),
        writable=("/srv/cache",),
        apart={"db1": ()},
    )
    seen = InPlace(undeclared=("/srv/cache/x", "/srv/a", "/srv/b", "/srv/c", "/srv/d"))

    assert list(obstacles(server, [seen], kinds=all_kinds())) == [
        "cannot act while an image is baked: swap:/swap, reboot:kernel",
        "runs what nobody can foresee: command:make",
        "holds state that nobody declared: /srv/a, /srv/b, /srv/c and 1 more",
        "the declaration lacks a `process` and a `base`",
        "is not the same on all hosts: db1",
    ]


def test_nothing_is_in_the_way_of_what_is_ready_for_it() -> None:
    assert list(obstacles(replace(a_server(), base=Base("host")), [InPlace()], kinds=all_kinds())) == []


def test_of_its_contents_what_was_taken_is_counted_once_and_a_look_takes_nothing(tmp_path: Path) -> None:
    (tmp_path / "tree").write_bytes(b"x" * 100)
    held = {
        "a": Content(b"abc"),
        "b": Content(path=str(tmp_path / "tree"), start=40),
        "c": Content(path=str(tmp_path / "tree"), start=1, size=7),
        "d": Content(path=str(tmp_path / "gone")),
        digest_bytes(b""): Content(b"never asked for"),
    }
    sent = Sent(held)

    assert ("a" in sent, sent.bytes, len(sent), set(sent)) == (True, 0, 5, set(held))
    assert [sent[name] for name in ("a", "a", "b", "c", "d")] == [held[name] for name in ("a", "a", "b", "c", "d")]
    assert sent.bytes == 3 + 60 + 7
