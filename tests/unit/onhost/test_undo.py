"""An undo gives back what was there, to the last detail, or says what stands against it."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Denied, UsageInvalid
from vitrify.core.difference import Change
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Resource
from vitrify.core.step import carry_on
from vitrify.core.system import System
from vitrify.resources.file import File
from vitrify.testing.engine import MEMORY, Engine, errors, kinds_and, outcomes, quick_folder, wish

LONG_AGO = 1_500_000_000_123_456_789


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        (root / "var/lib").mkdir(parents=True)
        yield Engine(root)


def tree(root: Path) -> dict[str, tuple[object, ...]]:
    """Everything but what the memory's folder does to the folders above it."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted(root.rglob("*")):
        name, status = str(path.relative_to(root)), path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(status.st_mode) else ""
        if not name.startswith(MEMORY):
            time = 0 if MEMORY.startswith(name) else status.st_mtime_ns
            found[name] = (stat.filemode(status.st_mode), status.st_uid, status.st_gid, time, content)
    return found


def age(root: Path) -> None:
    for path in sorted(root.rglob("*"), reverse=True):
        os.utime(path, ns=(LONG_AGO, LONG_AGO), follow_symlinks=False)


def undo(engine: Engine, run: str = "", *, force: bool = False) -> list[str]:
    return outcomes(engine.call("undo", run=run, force=force, by="ada"))


def test_everything_is_as_it_was_times_included(engine: Engine) -> None:
    etc = engine.root / "etc"
    (etc / "motd").write_text("hello\n")
    (etc / "motd").chmod(0o4750)
    (etc / "link").symlink_to("motd")
    (etc / "gone").write_text("gone\n")
    age(engine.root)
    before = tree(engine.root)

    engine.apply(
        engine.file("/etc/motd", "bye\n", mode="0600"),
        wish("link", path="/etc/link", to="elsewhere"),
        wish("file", absent=True, path="/etc/gone"),
        wish("directory", path="/etc/conf.d", mode="0700"),
        engine.file("/etc/conf.d/new", "new\n"),
    )
    assert undo(engine) == ["done"] * 5

    assert tree(engine.root) == before
    assert engine.states() == [("r1", "undone")]
    assert engine.owned() == {}


def test_a_changed_mode_alone_is_put_back_in_place(engine: Engine) -> None:
    path = engine.root / "etc/motd"
    path.write_text("hello\n")
    os.link(path, engine.root / "etc/same")
    engine.apply(wish("file", path="/etc/motd", mode="0600"))

    undo(engine)

    assert (path.stat().st_mode & 0o777, path.stat().st_nlink) == (0o644, 2)


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="extended attributes are Linux's")
def test_extended_attributes_come_back(tmp_path: Path) -> None:
    engine = Engine(tmp_path)
    path = tmp_path / "motd"
    path.write_text("hello\n")
    os.setxattr(path, "user.note", b"kept")
    engine.apply(wish("file", absent=True, path="/motd"))

    undo(engine)

    assert os.getxattr(path, "user.note") == b"kept"


def test_a_pipe_that_was_in_the_way_comes_back(engine: Engine) -> None:
    os.mkfifo(engine.root / "etc/pipe", 0o640)
    engine.apply(wish("link", path="/etc/pipe", to="x"))

    undo(engine)

    assert stat.filemode((engine.root / "etc/pipe").lstat().st_mode) == "prw-r-----"


def test_undoing_twice_goes_one_run_further_back(engine: Engine) -> None:
    before = tree(engine.root)
    for number in ("one", "two", "three"):
        engine.apply(engine.file("/etc/motd", f"{number}\n"), run=number)

    undo(engine)
    assert (engine.root / "etc/motd").read_text() == "two\n"
    undo(engine)
    assert (engine.root / "etc/motd").read_text() == "one\n"
    undo(engine)

    assert {name: entry[-1] for name, entry in tree(engine.root).items()} == {name: entry[-1] for name, entry in before.items()}
    with pytest.raises(UsageInvalid, match="no run that could be undone"):
        undo(engine)


def test_an_earlier_run_is_not_undone_beneath_a_later_one(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "one\n"), run="one")
    engine.apply(engine.file("/etc/motd", "two\n"), run="two")

    with pytest.raises(Denied, match="/etc/motd was changed") as refused:
        undo(engine, "one")

    assert "undo the later run first" in refused.value.diagnostics[0].hint


def test_an_unknown_run_is_told(engine: Engine) -> None:
    with pytest.raises(UsageInvalid, match="no run 'nine'"):
        undo(engine, "nine")
    engine.apply(engine.file("/etc/motd", "one\n"))
    with pytest.raises(UsageInvalid, match="no run 'nine'"):
        undo(engine, "nine")


def test_what_somebody_already_put_back_is_no_conflict(engine: Engine) -> None:
    (engine.root / "etc/motd").write_text("hello\n")
    engine.apply(engine.file("/etc/motd", "bye\n"))
    (engine.root / "etc/motd").write_text("hello\n")

    assert undo(engine) == ["done"]


def test_a_folder_with_something_foreign_in_it_is_never_removed(engine: Engine) -> None:
    engine.apply(wish("directory", path="/srv"))
    (engine.root / "srv/theirs").write_text("theirs\n")

    with pytest.raises(Denied, match="/srv/theirs was added"):
        undo(engine)
    undo(engine, force=True)

    assert (engine.root / "srv/theirs").read_text() == "theirs\n"


class Filler(File):
    """Acts on paths that nobody knows, as a command does."""

    name = "filler"

    def affected(self, change: Change) -> tuple[str, ...]:
        return ()

    def undoable(self, change: Change) -> bool:
        return False


def test_what_an_act_of_the_run_put_into_a_folder_of_the_run_is_named_and_stays(engine: Engine) -> None:
    engine.kinds = kinds_and(Filler())
    made = wish("filler", path="/srv/data", content=engine.text("theirs by now\n"))
    engine.apply(wish("directory", path="/srv"), made, engine.file("/srv/ours", "ours\n"))

    answer = engine.call("undo", by="ada")

    assert outcomes(answer) == ["done", "done"]
    assert answer["skipped"] == ["filler:/srv/data"]
    assert answer["stays"] == ["/srv/data"]
    assert (engine.root / "srv/data").read_text() == "theirs by now\n"
    assert not (engine.root / "srv/ours").exists()


def test_what_a_killed_act_of_the_run_put_there_is_known_as_well(engine: Engine) -> None:
    engine.kinds = kinds_and(Filler())
    wishes = (wish("directory", path="/srv"), wish("filler", path="/srv/data", content=engine.text("x\n")))

    def killed(step: str) -> None:
        if step == "enact.act" and (engine.root / "srv/data").exists():
            raise KeyboardInterrupt

    engine.reached = killed
    with pytest.raises(KeyboardInterrupt):
        engine.apply(*wishes)
    engine.reached = carry_on

    assert engine.call("undo", by="ada")["stays"] == ["/srv/data"]


def test_what_somebody_else_put_beside_it_is_foreign_all_the_same(engine: Engine) -> None:
    engine.kinds = kinds_and(Filler())
    engine.apply(wish("directory", path="/srv"), wish("filler", path="/srv/data", content=engine.text("x\n")))
    (engine.root / "srv/theirs").write_text("theirs\n")

    with pytest.raises(Denied, match="/srv/theirs was added"):
        undo(engine)

    assert engine.call("undo", by="ada", force=True)["stays"] == ["/srv/data", "/srv/theirs"]


def test_the_time_of_a_folder_that_others_wrote_to_is_left_alone(engine: Engine) -> None:
    age(engine.root)
    engine.apply(engine.file("/etc/motd", "hello\n"))
    (engine.root / "etc/theirs").write_text("theirs\n")

    undo(engine)

    assert (engine.root / "etc").stat().st_mtime_ns != LONG_AGO


def test_what_was_adopted_is_released(engine: Engine) -> None:
    (engine.root / "etc/motd").write_text("hello\n")
    engine.apply(engine.file("/etc/motd", "hello\n"))
    assert engine.owned() == {"file:/etc/motd": False}

    assert undo(engine) == []

    assert engine.owned() == {}


def test_what_was_removed_and_forgotten_is_owned_again(engine: Engine) -> None:
    (engine.root / "etc/hosts").write_text("mine\n")
    wishes = [engine.file("/etc/hosts", "mine\n"), engine.file("/etc/motd", "hello\n")]
    engine.apply(*wishes)
    owned = engine.owned()
    engine.apply(run="r2")

    undo(engine)

    assert engine.owned() == owned
    assert engine.plan(*wishes)["changes"] == []


class Opaque(File):
    """A kind whose changes nobody can take back."""

    def undoable(self, change: Change) -> bool:
        return False


def test_what_cannot_be_undone_is_left_and_named(engine: Engine) -> None:
    engine.kinds = kinds_and(Opaque())
    engine.apply(wish("directory", path="/srv"), engine.file("/etc/motd", "hello\n"))

    answer = engine.call("undo", run="", force=False, by="ada")

    assert (answer["skipped"], outcomes(answer)) == (["file:/etc/motd"], ["done"])
    assert sorted(path.name for path in engine.root.iterdir()) == ["etc", "var"]
    assert (engine.root / "etc/motd").exists()


class Unsettled(File):
    """A kind whose service does not come up again the first time."""

    def __init__(self) -> None:
        self.refusals = 1

    def settle(self, resource: Resource, system: System) -> None:
        if self.refusals:
            self.refusals -= 1
            raise OSError(5, "not yet")


def test_an_undo_that_failed_in_part_is_finished_by_the_same_command(engine: Engine) -> None:
    engine.kinds = kinds_and(Unsettled())
    engine.apply(engine.file("/etc/a", "a"), engine.file("/etc/b", "b"))

    first = engine.call("undo", run="", force=False, by="ada")
    assert outcomes(first) == ["failed", "done"]
    assert "Input/output error" in errors(first)
    assert engine.states() == [("r1", "done")]

    assert undo(engine) == ["done"]
    assert engine.states() == [("r1", "undone")]
    assert engine.owned() == {}


def test_a_run_that_was_cut_short_can_be_undone(engine: Engine) -> None:
    class Killed(BaseException):
        pass

    def reached(point: str) -> None:
        if point == "enact.act":
            raise Killed

    engine.reached = reached
    with pytest.raises(Killed):
        engine.apply(engine.file("/etc/motd", "hello\n"))
    engine.reached = lambda _: None

    assert undo(engine) == ["done"]

    assert not (engine.root / "etc/motd").exists()
    assert engine.states() == [("r1", "undone")]


def test_a_link_in_a_trees_place_is_put_back_and_what_it_led_to_is_left_alone(engine: Engine) -> None:
    theirs, app = engine.root / "etc/theirs", engine.root / "app"
    (theirs / "bin").mkdir(parents=True)
    (theirs / "bin/run").write_text("theirs")
    app.symlink_to("etc/theirs")
    run: JSONObject = {"type": "file", "mode": "0755", "content": engine.text("ours")}
    engine.apply(wish("tree", to="/app", entries={"bin": {"type": "directory", "mode": "0755"}, "bin/run": run}))
    assert (app / "bin/run").read_text() == "ours"

    assert undo(engine) == ["done"]

    assert app.readlink() == Path("etc/theirs")
    assert (theirs / "bin/run").read_text() == "theirs"
