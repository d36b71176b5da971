"""Changes that cannot feel each other share one announcement: what fails, or is killed, in the middle of them."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence

import pytest

from vitrify.core.difference import Action, Change
from vitrify.core.event import Stage
from vitrify.core.resource import Resource
from vitrify.onhost.acts import MOST, acts
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import Engine, errors, objects, outcomes, quick_folder, wish

LONG_AGO = 1_000_000_000_000_000_000


class Killed(BaseException):
    """Stands for the end of the process."""


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        yield Engine(root)


def change(resource: Resource, action: Action = Action.CREATE) -> Change:
    return Change(resource, action, before={"type": "missing"}, after={"type": resource.address.kind})


def grouped(*resources: Resource, wished: Sequence[Resource] | None = None) -> list[list[str]]:
    known = [one.address for one in (resources if wished is None else wished)]
    return [[str(one.resource.address) for one in group] for group in acts([change(one) for one in resources], all_kinds(), wished=known)]


def files(engine: Engine, *names: str) -> list[Resource]:
    return [engine.file(f"/etc/{name}", name) for name in names]


def killed_at(engine: Engine, point: str, *, times: int = 1) -> None:
    seen: list[str] = []

    def reached(name: str) -> None:
        seen.append(name)
        if name == point and seen.count(point) == times:
            raise Killed

    engine.reached = reached


def test_files_and_links_that_lie_apart_are_announced_together() -> None:
    found = grouped(wish("file", path="/etc/a"), wish("link", path="/etc/b", to="/a"), wish("directory", path="/srv"))
    assert [len(group) for group in found] == [3]


@pytest.mark.parametrize("path", ["/srv", "/srv/app/conf", "/"])
def test_what_lies_in_another_change_or_around_it_waits_until_that_is_made(path: str) -> None:
    found = grouped(wish("file", path="/etc/a"), wish("directory", path="/srv/app"), wish("directory", path=path))
    assert [len(group) for group in found] == [2, 1]


def test_a_command_between_two_files_is_announced_alone() -> None:
    found = grouped(wish("file", path="/a"), wish("command", name="migrate"), wish("file", path="/b"))
    assert [len(group) for group in found] == [1, 1, 1]


def test_what_leaves_the_declaration_is_announced_apart_from_what_is_in_it() -> None:
    stays, leaves = wish("file", path="/a"), wish("file", path="/b")
    assert [len(group) for group in grouped(stays, leaves, wished=[stays])] == [1, 1]


def test_no_more_than_so_many_are_announced_at_a_time() -> None:
    assert [len(group) for group in grouped(*(wish("file", path=f"/{number}") for number in range(MOST + 1)))] == [MOST, 1]


def test_many_files_cost_one_announcement(engine: Engine) -> None:
    reached: list[str] = []
    engine.reached = reached.append

    engine.apply(*(engine.file(f"/etc/{number}", "text") for number in range(30)))

    assert reached.count("enact.intent") == reached.count("enact.outcome") == 1
    assert reached.count("each.act") == 30


def test_what_many_files_were_is_kept_with_few_syncs_and_given_back(engine: Engine, monkeypatch: pytest.MonkeyPatch) -> None:
    names = [str(number) for number in range(40)]
    for name in names:
        (engine.root / "etc" / name).write_text(f"former {name}")
    arguments = engine.plan(*files(engine, *names))
    syncs: list[int] = []
    monkeypatch.setattr(os, "fsync", syncs.append)

    engine.call("enact", **arguments)
    monkeypatch.undo()

    assert len(syncs) < len(names)
    engine.call("undo", run="", force=False, by="ada")
    assert {path.name: path.read_text() for path in (engine.root / "etc").iterdir()} == {name: f"former {name}" for name in names}


def test_behind_a_file_that_fails_the_rest_is_passed_over_and_owned_by_nobody(engine: Engine) -> None:
    wishes = files(engine, "a", "b", "c", "d")
    arguments = engine.plan(*wishes)
    del engine.contents[str(wishes[2].fields["content"])]

    answer = engine.call("enact", **arguments)

    assert outcomes(answer) == ["done", "done", "failed", "skipped"]
    assert sorted(path.name for path in (engine.root / "etc").iterdir()) == ["a", "b"]
    assert engine.owned() == {"file:/etc/a": True, "file:/etc/b": True}
    assert [run["changes"] for run in objects(engine.call("observe", resources=[]), "runs")] == [3]
    told = [(event.subject, event.stage) for event in engine.events]
    assert ("file:/etc/c", Stage.FAILED) in told
    assert not [stage for subject, stage in told if subject == "file:/etc/d"]


def test_what_was_passed_over_is_made_by_the_next_apply_and_no_part_of_an_undo(engine: Engine) -> None:
    wishes = files(engine, "a", "b", "c")
    arguments = engine.plan(*wishes)
    missing = engine.contents.pop(str(wishes[1].fields["content"]))
    engine.call("enact", **arguments)
    engine.contents[str(wishes[1].fields["content"])] = missing
    assert outcomes(engine.apply(*wishes, run="r2")) == ["done", "done"]

    undone = [engine.call("undo", run=run, force=False, by="ada") for run in ("r2", "r1")]

    assert [len(objects(answer, "results")) for answer in undone] == [2, 2]
    assert not any((engine.root / "etc").iterdir())


@pytest.mark.parametrize("times", [1, 2, 3])
def test_a_run_killed_between_two_of_them_is_finished_by_the_same_command(engine: Engine, times: int) -> None:
    wishes = files(engine, "a", "b", "c")
    killed_at(engine, "each.act", times=times)
    with pytest.raises(Killed):
        engine.apply(*wishes)
    engine.reached = lambda _: None

    assert errors(engine.apply(*wishes, run="r2")).strip() == ""

    assert engine.states() == [("r1", "done")]
    assert engine.owned() == {f"file:/etc/{name}": True for name in "abc"}
    assert {path.name: path.read_text() for path in (engine.root / "etc").iterdir()} == {name: name for name in "abc"}


@pytest.mark.parametrize("point", ["enact.intent", "each.act", "enact.act", "enact.outcome", ""])
@pytest.mark.parametrize("finish", [True, False])
def test_an_undo_gives_back_contents_and_the_folders_time_wherever_the_run_was_killed(engine: Engine, point: str, *, finish: bool) -> None:
    folder = engine.root / "etc"
    (folder / "b").write_text("former")
    for path in (folder / "b", folder):
        os.utime(path, ns=(LONG_AGO, LONG_AGO))
    wishes = files(engine, "a", "b", "c")
    killed_at(engine, point, times=2 if point == "each.act" else 1)
    if point:
        with pytest.raises(Killed):
            engine.apply(*wishes)
    engine.reached = lambda _: None
    if finish or not point:
        engine.apply(*wishes, run="r2")

    answer = engine.call("undo", run="", force=False, by="ada")

    assert set(outcomes(answer)) == {"done"}
    assert {path.name: path.read_text() for path in folder.iterdir()} == {"b": "former"}
    assert {path.stat().st_mtime_ns for path in (folder / "b", folder)} == {LONG_AGO}
