"""A plan is carried out exactly, or not at all; what was created, adopted or shared is told apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest

from vitrify.core.diagnostic import PlanStale, UsageInvalid
from vitrify.core.difference import Change
from vitrify.core.event import Stage
from vitrify.core.plan import expectation
from vitrify.core.resource import Observation
from vitrify.core.system import System
from vitrify.onhost.journal import Keep, all_runs, forget_old
from vitrify.onhost.memory import Memory
from vitrify.onhost.observe import Look
from vitrify.onhost.ownership import Ownership
from vitrify.resources.file import File
from vitrify.testing.engine import MEMORY, Engine, errors, kinds_and, objects, outcomes, quick_folder, wish


class Killed(BaseException):
    """Stands for the end of the process."""


def dying_at(point: str, *, times: int = 1) -> Callable[[str], None]:
    seen: list[str] = []

    def reached(name: str) -> None:
        seen.append(name)
        if seen.count(point) == times and name == point:
            raise Killed

    return reached


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        yield Engine(root)


def test_applying_twice_finds_nothing_left_to_do(engine: Engine) -> None:
    wishes = [wish("directory", path="/srv"), engine.file("/srv/motd", "hello\n", mode="0640")]
    assert outcomes(engine.apply(*wishes)) == ["done", "done"]

    again = engine.plan(*wishes)

    assert (again["changes"], again["settled"]) == ([], [])


def test_a_run_that_has_nothing_to_do_is_not_remembered(engine: Engine) -> None:
    digest = engine.call("audit", resources=[], folders=[], full=True)["digest"]
    assert engine.apply() == {"run": "", "results": [], "baseline": digest, "seals": {}, "found": {}, "copies": {}, "armed": [], "token": 1}
    assert engine.states() == []


def test_observing_leaves_no_trace(engine: Engine) -> None:
    engine.call("observe", resources=[engine.file("/etc/motd", "hello").to_json()])

    assert sorted(path.name for path in engine.root.rglob("*")) == ["etc"]


def test_what_was_there_is_adopted_and_what_was_made_is_created(engine: Engine) -> None:
    (engine.root / "etc/hosts").write_text("mine\n")
    (engine.root / "etc/issue").write_text("as wished\n")

    engine.apply(engine.file("/etc/hosts", "changed\n"), engine.file("/etc/issue", "as wished\n"), engine.file("/etc/motd", "new\n"))

    assert engine.owned() == {"file:/etc/hosts": False, "file:/etc/issue": False, "file:/etc/motd": True}


def test_what_was_created_stays_created_when_it_is_changed(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "one\n"))
    engine.apply(engine.file("/etc/motd", "two\n"), run="r2")

    assert engine.owned() == {"file:/etc/motd": True}


def test_only_what_was_created_leaves_with_its_declaration(engine: Engine) -> None:
    (engine.root / "etc/hosts").write_text("mine\n")
    engine.apply(engine.file("/etc/hosts", "changed\n"), engine.file("/etc/motd", "new\n"))

    engine.apply(run="r2")

    assert [path.name for path in (engine.root / "etc").iterdir()] == ["hosts"]
    assert engine.owned() == {}


def test_the_first_failure_stops_the_run_and_the_rest_is_skipped(engine: Engine) -> None:
    (engine.root / "etc/folder").mkdir()
    answer = engine.apply(engine.file("/etc/a", "a"), engine.file("/etc/folder", "x"), engine.file("/etc/b", "b"))

    assert outcomes(answer) == ["done", "failed", "skipped"]
    assert "/etc/folder" in errors(answer)
    assert engine.states() == [("r1", "failed")]
    assert engine.owned() == {"file:/etc/a": True}


def test_changes_are_told_as_they_happen(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "hello\n"))

    told = [(event.what, event.stage, event.subject, event.data.get("action")) for event in engine.events]
    assert told == [("change", Stage.STARTED, "file:/etc/motd", "create"), ("change", Stage.DONE, "file:/etc/motd", "create")]


def test_a_plan_whose_ground_moved_is_refused_and_nothing_is_written(engine: Engine) -> None:
    plan = engine.plan(engine.file("/etc/motd", "hello\n"))
    (engine.root / "etc/motd").write_text("somebody\n")

    with pytest.raises(PlanStale, match="file:/etc/motd is not as it was seen"):
        engine.call("enact", **plan)

    assert (engine.root / "etc/motd").read_text() == "somebody\n"
    assert engine.states() == []


def test_both_sides_compute_the_same_expectation(engine: Engine) -> None:
    answer = engine.call("observe", resources=[engine.file("/etc/motd", "hello\n").to_json()])
    observations = tuple(Observation.from_json(item) for item in objects(answer, "observations"))

    here = Look(observations, (), Ownership(), (), None).expectation()

    assert here == expectation(observations)


def test_a_resource_that_its_kind_does_not_accept_is_refused(engine: Engine) -> None:
    with pytest.raises(UsageInvalid, match="file:/etc/motd"):
        engine.call("observe", resources=[wish("file", path="/etc/motd", colour="blue").to_json()])


class Forgetful(File):
    """A file that is never what was written."""

    def enact(self, change: Change, system: System) -> None:
        pass


class Broken(File):
    """A kind with a mistake in it."""

    def enact(self, change: Change, system: System) -> None:
        raise KeyError("there is a mistake in here")


def test_what_is_not_as_declared_after_the_act_is_a_failure(engine: Engine) -> None:
    engine.kinds = kinds_and(Forgetful())

    answer = engine.apply(engine.file("/etc/motd", "hello\n"))

    assert outcomes(answer) == ["failed"]
    assert "not as declared after it was changed" in errors(answer)


def test_a_mistake_in_a_kind_is_an_error_and_not_a_traceback(engine: Engine) -> None:
    engine.kinds = kinds_and(Broken())

    answer = engine.apply(engine.file("/etc/motd", "hello\n"))

    assert outcomes(answer) == ["failed"]
    assert "internal error (KeyError: 'there is a mistake in here')" in errors(answer)
    assert engine.states() == [("r1", "failed")]


# -- two servers on one host -------------------------------------------------------------------------------------------


def test_what_two_servers_hold_stays_until_the_last_one_leaves(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "hello\n"))
    other = Engine(engine.root, server="db", contents=engine.contents)
    other.apply(engine.file("/etc/motd", "hello\n"), run="r2")
    assert (engine.owned(), other.owned()) == ({"file:/etc/motd": False}, {"file:/etc/motd": False})

    engine.apply(run="r3")
    assert (engine.root / "etc/motd").exists()
    assert (engine.owned(), other.owned()) == ({}, {"file:/etc/motd": True})

    other.apply(run="r4")
    assert not (engine.root / "etc/motd").exists()


def test_a_removal_that_was_planned_before_another_server_came_takes_nothing_from_it(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "hello\n"))
    removal = engine.plan(run="r3")
    other = Engine(engine.root, server="db", contents=engine.contents)
    other.apply(engine.file("/etc/motd", "hello\n"), run="r2")

    answer = engine.call("enact", **removal)

    assert outcomes(answer) == ["done"]
    assert (engine.root / "etc/motd").exists()
    assert other.owned() == {"file:/etc/motd": True}


def test_an_adopted_thing_is_not_removed_by_whoever_leaves_last(engine: Engine) -> None:
    (engine.root / "etc/motd").write_text("mine\n")
    other = Engine(engine.root, server="db", contents=engine.contents)
    engine.apply(engine.file("/etc/motd", "hello\n"))
    other.apply(engine.file("/etc/motd", "hello\n"), run="r2")

    engine.apply(run="r3")
    other.apply(run="r4")

    assert (engine.root / "etc/motd").exists()


# -- a run that was cut short --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["run.intent", "enact.intent", "enact.act", "enact.outcome", "run.act"])
def test_a_run_that_was_cut_short_is_continued_under_its_own_name(point: str, engine: Engine) -> None:
    wishes = [wish("directory", path="/srv"), engine.file("/srv/motd", "hello\n")]
    engine.reached = dying_at(point)
    with pytest.raises(Killed):
        engine.apply(*wishes, run="first")
    engine.reached = lambda _: None
    assert engine.call("observe", resources=[])["unfinished"] == "first"

    answer = engine.apply(*wishes, run="second")

    assert answer["run"] == "first"
    assert engine.states() == [("first", "done")]
    assert engine.owned() == {"directory:/srv": True, "file:/srv/motd": True}


def test_created_survives_the_end_of_the_process_between_act_and_outcome(engine: Engine) -> None:
    engine.reached = dying_at("enact.act")
    with pytest.raises(Killed):
        engine.apply(engine.file("/etc/motd", "hello\n"))
    engine.reached = lambda _: None

    assert engine.owned() == {"file:/etc/motd": True}


def test_what_somebody_else_made_meanwhile_is_not_taken_for_ours(engine: Engine) -> None:
    engine.reached = dying_at("enact.intent")
    with pytest.raises(Killed):
        engine.apply(engine.file("/etc/motd", "hello\n"))
    engine.reached = lambda _: None
    (engine.root / "etc/motd").write_text("theirs\n")

    engine.apply(engine.file("/etc/motd", "hello\n"), run="r2")

    assert engine.owned() == {"file:/etc/motd": False}


def test_a_cut_off_last_line_was_never_acted_on(engine: Engine) -> None:
    engine.reached = dying_at("enact.outcome")
    with pytest.raises(Killed):
        engine.apply(engine.file("/etc/a", "a"), engine.file("/etc/b", "b"))
    engine.reached = lambda _: None
    journal = engine.root / MEMORY / "runs/r1/journal.ndjson"
    journal.write_bytes(journal.read_bytes()[:-20])

    engine.apply(engine.file("/etc/a", "a"), engine.file("/etc/b", "b"), run="r2")

    assert engine.states() == [("r1", "done")]
    assert engine.owned() == {"file:/etc/a": True, "file:/etc/b": True}


def test_a_run_whose_first_line_was_torn_never_was(engine: Engine) -> None:
    engine.reached = dying_at("run.intent")
    with pytest.raises(Killed):
        engine.apply(engine.file("/etc/a", "a"))
    engine.reached = lambda _: None
    journal = engine.root / MEMORY / "runs/r1/journal.ndjson"
    journal.write_bytes(journal.read_bytes()[:50])

    engine.apply(engine.file("/etc/a", "a"), run="r1")

    assert engine.states() == [("r1", "done")]


def test_old_runs_are_forgotten_with_the_contents_that_only_they_needed(engine: Engine) -> None:
    for number in range(25):
        engine.apply(engine.file("/etc/motd", f"{number}\n"), run=f"r{number:02}")

    assert len(engine.states()) == 20
    kept = {path.read_text() for path in (engine.root / MEMORY / "before").iterdir()}
    assert kept == {f"{number}\n" for number in range(4, 24)}


def test_a_secret_never_enters_the_journal_in_clear(engine: Engine) -> None:
    from dataclasses import replace

    from vitrify.core.digest import keyed_digest

    secret = b"correct horse battery staple"
    digest = keyed_digest(secret, key=b"\x00")
    engine.contents[digest] = secret
    hidden = replace(wish("file", path="/etc/token", content=digest), secret=True)

    engine.apply(hidden)

    assert (engine.root / "etc/token").read_bytes() == secret
    memory = b"".join(path.read_bytes() for path in (engine.root / MEMORY).rglob("*") if path.is_file())
    assert secret not in memory


def test_so_many_runs_are_kept_as_was_asked(engine: Engine) -> None:
    for number in range(5):
        plan = engine.plan(engine.file("/x", str(number)), run=f"r{number}")
        engine.call("enact", keep={"runs": 3}, **plan)
    assert [run for run, _ in engine.states()] == ["r4", "r3", "r2"]


def test_before_images_beyond_the_bound_take_their_runs_with_them(engine: Engine) -> None:
    for number in range(4):
        engine.apply(engine.file("/x", str(number) * 100), run=f"r{number}")
    memory = Memory(str(engine.root / MEMORY), within=str(engine.root))
    forget_old(memory, all_runs(memory), Keep(runs=20, bytes=150))
    assert [run for run, _ in engine.states()] == ["r3"]
    assert len([*(engine.root / MEMORY / "before").iterdir()]) == 1
