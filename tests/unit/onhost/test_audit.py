"""A baseline moves on by what vitrify did, and by nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from vitrify.core.difference import Change
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Resource, Sureness
from vitrify.core.step import carry_on
from vitrify.core.system import Attributes, System
from vitrify.onhost.records import prints, read_records
from vitrify.resources.file import File
from vitrify.testing.engine import MEMORY, Engine, kinds_and, quick_folder, wish


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        yield Engine(root, time=4_000_000_000.0)


class Generator(File):
    """Writes more than it says, as a command would."""

    def sureness(self, change: Change) -> Sureness:
        return Sureness.OPAQUE

    def enact(self, change: Change, system: System) -> None:
        super().enact(change, system)
        system.write("/srv/generated", b"x", attributes=Attributes())


def app(engine: Engine, text: str = "one\n") -> list[Resource]:
    entries: JSON = {"page": {"type": "file", "mode": "0644", "content": engine.text(text)}}
    return [wish("directory", path="/srv"), wish("tree", to="/srv/app", entries=entries)]


def audit(engine: Engine, *, full: bool = False, folders: tuple[str, ...] = ("/srv",)) -> tuple[JSONObject, JSONObject]:
    answer = engine.call("audit", resources=[], folders=list(folders), full=full)
    baseline, sweep = answer["baseline"], answer["sweep"]
    assert isinstance(baseline, dict)
    assert isinstance(sweep, dict)
    return baseline, sweep


def differing(engine: Engine, *, full: bool = False) -> list[str]:
    baseline, sweep = audit(engine, full=full)
    assert not [path for path in {*baseline, *sweep} if baseline.get(path) == sweep.get(path)]
    return sorted({*baseline, *sweep})


def swept(engine: Engine, *folders: str) -> JSON:
    return engine.call("audit", resources=[], folders=list(folders), full=True)["swept"]


def recorded(engine: Engine) -> set[str]:
    """What the baseline on disk holds."""
    content = (engine.root / MEMORY / "baseline").read_bytes()
    return {path for record in read_records(content, content.index(b"\n") + 1) for path in prints(record)}


def test_after_an_apply_nothing_differs(engine: Engine) -> None:
    engine.apply(*app(engine))

    assert recorded(engine) == {"/srv", "/srv/app", "/srv/app/page"}
    assert swept(engine, "/srv") == 3
    assert differing(engine) == differing(engine, full=True) == []


def test_the_first_apply_records_what_was_there_before(engine: Engine) -> None:
    (engine.root / "srv").mkdir()
    (engine.root / "srv/theirs").write_text("theirs\n")

    engine.apply(*app(engine))

    assert "/srv/theirs" in recorded(engine)
    assert differing(engine) == []


def test_a_later_apply_authorises_its_own_changes_alone(engine: Engine) -> None:
    engine.apply(*app(engine))
    (engine.root / "srv/intruder").write_text("boo\n")

    engine.apply(*app(engine, "two\n"), run="r2")

    assert differing(engine) == ["/srv/intruder"]


def test_an_undo_moves_the_baseline_back(engine: Engine) -> None:
    engine.apply(*app(engine))
    engine.apply(*app(engine, "two\n"), run="r2")

    engine.call("undo", run="", force=False, by="ada")

    assert differing(engine) == []


def test_a_folder_that_was_never_under_management_is_not_swept(engine: Engine) -> None:
    engine.apply(*app(engine))

    assert audit(engine, folders=("/etc",)) == ({}, {})
    assert swept(engine, "/etc") == 0


def test_an_audit_changes_nothing(engine: Engine) -> None:
    engine.apply(*app(engine))
    before = {path: path.lstat().st_mtime_ns for path in engine.root.rglob("*")}

    audit(engine, full=True)

    assert {path: path.lstat().st_mtime_ns for path in engine.root.rglob("*")} == before


def test_the_memory_is_not_part_of_what_is_swept(engine: Engine) -> None:
    engine.apply(wish("directory", path="/var/lib"))

    assert not [path for path in recorded(engine) if path.startswith(f"/{MEMORY}")]
    assert audit(engine, folders=("/var/lib",)) == ({}, {})


def test_the_answer_names_the_digest_that_the_apply_named(engine: Engine) -> None:
    applied = engine.apply(*app(engine))["baseline"]

    assert engine.call("audit", resources=[], folders=[], full=True)["digest"] == applied


def test_what_a_command_changed_in_a_managed_folder_is_authorised(engine: Engine) -> None:
    engine.kinds = kinds_and(Generator())
    engine.apply(*app(engine))

    engine.apply(*app(engine), engine.file("/etc/motd", "hello\n"), run="r2")

    assert (engine.root / "srv/generated").exists()
    assert differing(engine) == []


def drifted(engine: Engine) -> list[Resource]:
    """Wishes that say what somebody made of the server."""
    engine.apply(wish("directory", path="/srv"), engine.file("/srv/motd", "one\n"))
    (engine.root / "srv/motd").write_text("theirs\n")
    return [wish("directory", path="/srv"), engine.file("/srv/motd", "theirs\n")]


def test_drift_that_is_declared_as_it_is_is_authorised_by_the_apply_that_takes_it_over(engine: Engine) -> None:
    wishes = drifted(engine)
    (engine.root / "srv/intruder").write_text("boo\n")
    assert differing(engine) == ["/srv", "/srv/intruder", "/srv/motd"]

    engine.apply(*wishes, run="r2")

    assert differing(engine) == differing(engine, full=True) == ["/srv", "/srv/intruder"]


def test_drift_that_a_killed_run_took_over_is_authorised_by_the_run_that_ends_it(engine: Engine) -> None:
    wishes = drifted(engine)
    plan = engine.plan(*wishes, engine.file("/srv/more", "more\n"), run="r2")

    def die(point: str) -> None:
        if point == "enact.intent":
            raise KeyboardInterrupt

    engine.reached = die
    with pytest.raises(KeyboardInterrupt):
        engine.call("enact", **plan)
    engine.reached = carry_on

    engine.apply(*wishes, engine.file("/srv/more", "more\n"), run="r2")

    assert differing(engine) == []


def test_rights_that_nobody_declared_are_not_authorised_with_a_content_that_is(engine: Engine) -> None:
    wishes = drifted(engine)
    (engine.root / "srv/motd").chmod(0o4755)

    engine.apply(*wishes, run="r2")

    baseline, sweep = audit(engine)
    before, now = baseline["/srv/motd"], sweep["/srv/motd"]
    assert isinstance(before, dict)
    assert isinstance(now, dict)
    assert {name for name in now if before[name] != now[name]} == {"mode"}


def test_a_line_that_was_found_as_declared_says_nothing_about_the_rest_of_its_file(engine: Engine) -> None:
    (engine.root / "srv").mkdir()
    (engine.root / "srv/conf").write_text("one\n")
    engine.apply(wish("directory", path="/srv"))
    (engine.root / "srv/conf").write_text("one\ntwo\nthree\n")

    engine.apply(wish("directory", path="/srv"), wish("line", path="/srv/conf", line="two"), run="r2")

    assert differing(engine) == ["/srv/conf"]
