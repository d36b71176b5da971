"""A host is planned, converged and put back by the payload's own calls, over a folder that costs nothing; the ledger hears of all."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from bench import Bench, do, in_place

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import Denied, PlanStale, TargetFailed, TargetUnreachable, UsageInvalid
from vitrify.core.difference import Action
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import HostPlan
from vitrify.core.report import Converged
from vitrify.core.resource import MISSING, Observation
from vitrify.lifecycle import mutable, undoing
from vitrify.testing.engine import quick_folder

MOTD = ("/etc/motd", "hello\n")


@pytest.fixture
def bench() -> Bench:
    return Bench()


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


def plan(bench: Bench, server: Server) -> HostPlan:
    return do(mutable.plan(server, server.hosts[0], bench.world))


def apply(bench: Bench, server: Server, planned: HostPlan | None = None) -> Converged:
    return do(mutable.apply(server, server.hosts[0], planned or plan(bench, server), bench.world))


def undo(bench: Bench, server: Server, *, run: str = "", force: bool = False) -> Converged:
    return do(undoing.undo(server, server.hosts[0], bench.world, run=run, force=force))


def unrecorded(bench: Bench, server: Server) -> bool:
    return mutable.unrecorded(server, server.hosts[0], bench.world)


def operations(bench: Bench, kind: str) -> list[JSON]:
    return [body["operation"] for body in bench.bodies(kind)]


def test_a_plan_shows_what_would_be_written_and_writes_nothing(bench: Bench, root: Path) -> None:
    planned = plan(bench, in_place(root, MOTD))

    assert [(change.action, str(change.resource.address)) for change in planned.changes] == [(Action.CREATE, "file:/etc/motd")]
    assert planned.changes[0].diff.splitlines()[-1] == "+hello"
    assert sorted(path.name for path in root.rglob("*")) == ["etc"]


def test_what_was_planned_is_done_and_told_before_and_after(bench: Bench, root: Path) -> None:
    converged = apply(bench, in_place(root, MOTD))

    assert (root / "etc/motd").read_text() == "hello\n"
    assert [(outcome.address, outcome.outcome) for outcome in converged.outcomes] == [("file:/etc/motd", "done")]
    assert bench.told() == ["apply.intended", "apply.done"]
    assert bench.bodies("apply.intended")[0]["changes"] == [["file:/etc/motd", "create"]]
    assert operations(bench, "apply.intended") == operations(bench, "apply.done") == [converged.run]
    assert plan(bench, in_place(root, MOTD)).empty


def test_what_fails_is_told_as_failed(bench: Bench, root: Path) -> None:
    (root / "etc/motd").mkdir()
    (root / "etc/motd/inside").touch()

    converged = apply(bench, in_place(root, MOTD))

    assert [outcome.outcome for outcome in converged.failed] == ["failed"]
    assert bench.told() == ["apply.intended", "apply.failed"]


def test_a_host_that_changed_since_the_plan_refuses_it(bench: Bench, root: Path) -> None:
    server = in_place(root, MOTD)
    planned = plan(bench, server)
    (root / "etc/motd").write_text("somebody else's\n")

    with pytest.raises(PlanStale):
        apply(bench, server, planned)

    assert (root / "etc/motd").read_text() == "somebody else's\n"


def test_a_diff_is_shown_of_text_alone(bench: Bench, root: Path) -> None:
    (root / "etc/motd").write_bytes(b"\xff\xfe\x00")
    secret = in_place(root, ("/etc/token", "hunter2\n"))
    secret = replace(secret, resources=tuple(replace(wish, secret=True) for wish in secret.resources))

    diffs = mutable.Diffs(secret, bench.world.kinds)

    assert diffs.between(secret.resources[0], Observation(secret.resources[0].address, MISSING)) == ""
    assert plan(bench, in_place(root, MOTD)).changes[0].diff == "", "what is there is no text"


def test_the_end_of_a_text_without_a_newline_is_told(bench: Bench, root: Path) -> None:
    (root / "etc/motd").write_text("old")

    diff = plan(bench, in_place(root, ("/etc/motd", "new\n"))).changes[0].diff

    assert diff == "--- /etc/motd (now)\n+++ /etc/motd (declared)\n@@ -1 +1 @@\n-old\n\\ No newline at end of file\n+new\n"


# -- cut short -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["apply.intent", "run.intent", "enact.intent", "enact.act", "run.act", "run.outcome", "apply.act"])
def test_an_apply_that_was_killed_is_told_as_one_when_it_is_called_again(bench: Bench, root: Path, point: str) -> None:
    server = in_place(root, MOTD, ("/etc/issue", "debian\n"))
    with bench.killed_at(point):
        apply(bench, server)
    assert unrecorded(bench, server)

    apply(bench, server)

    assert (root / "etc/issue").read_text() == "debian\n"
    assert operations(bench, "apply.intended") == operations(bench, "apply.done")
    assert len(operations(bench, "apply.done")) == 1
    assert not unrecorded(bench, server)
    assert plan(bench, server).empty


def test_what_a_host_finished_before_we_were_killed_is_told_and_can_still_be_undone(bench: Bench, root: Path) -> None:
    first, second = in_place(root, MOTD), in_place(root, ("/etc/motd", "goodbye\n"))
    with bench.killed_at("apply.act"):
        apply(bench, first)

    apply(bench, second)

    assert [body.get("state", "") for body in bench.bodies("apply.done")] == ["done", ""]
    assert len(set(operations(bench, "apply.intended"))) == 2, "a run that was finished is given no more to do"
    undo(bench, second)
    assert (root / "etc/motd").read_text() == "hello\n"
    undo(bench, second)
    assert not (root / "etc/motd").exists()


def test_an_apply_that_never_reached_its_host_is_told_to_have_failed_when_another_one_begins(bench: Bench, root: Path) -> None:
    with bench.killed_at("apply.intent"):
        apply(bench, in_place(root, MOTD))

    apply(bench, in_place(root, ("/etc/motd", "goodbye\n")))

    assert bench.told() == ["apply.intended", "apply.failed", "apply.intended", "apply.done"]
    assert bench.bodies("apply.failed")[0]["state"] == "not begun"


def test_what_goes_beyond_what_was_told_is_told_before_an_unfinished_run_goes_on(bench: Bench, root: Path) -> None:
    with bench.killed_at("enact.act"):
        apply(bench, in_place(root, MOTD))

    apply(bench, in_place(root, MOTD, ("/etc/issue", "debian\n")))

    assert len(set(operations(bench, "apply.intended"))) == 1
    assert [
        ["file:/etc/issue", "create"] in told for body in bench.bodies("apply.intended") if isinstance(told := body["changes"], list)
    ] == [
        False,
        True,
    ]


def test_an_unfinished_run_shows_in_the_plan(bench: Bench, root: Path) -> None:
    with bench.killed_at("enact.act"):
        apply(bench, in_place(root, MOTD))

    assert plan(bench, in_place(root, MOTD)).run == operations(bench, "apply.intended")[0]


# -- undo ------------------------------------------------------------------------------------------------------------


def test_an_undo_puts_back_what_the_last_run_found(bench: Bench, root: Path) -> None:
    (root / "etc/motd").write_text("before\n")
    converged = apply(bench, in_place(root, MOTD))

    undone = undo(bench, in_place(root, MOTD))

    assert (root / "etc/motd").read_text() == "before\n"
    assert undone.run == converged.run
    assert bench.told()[-2:] == ["undo.intended", "undo.done"]


def test_undoing_again_goes_one_run_further_back_until_none_is_left(bench: Bench, root: Path) -> None:
    for text in ("one\n", "two\n"):
        apply(bench, in_place(root, ("/etc/motd", text)))
    server = in_place(root)

    undo(bench, server)
    assert (root / "etc/motd").read_text() == "one\n"
    undo(bench, server)
    assert not (root / "etc/motd").exists()
    with pytest.raises(UsageInvalid, match="no run on machine that could be undone"):
        undo(bench, server)


def test_a_run_that_is_not_known_is_not_undone(bench: Bench, root: Path) -> None:
    apply(bench, in_place(root, MOTD))

    with pytest.raises(UsageInvalid, match="no run 'unheard-of'"):
        undo(bench, in_place(root), run="unheard-of")


@pytest.mark.parametrize("point", ["undo-story.intent", "undo.act", "undo-run.act", "undo-run.outcome", "undo-story.act"])
def test_an_undo_that_was_killed_is_finished_and_takes_no_further_run_back(bench: Bench, root: Path, point: str) -> None:
    for text in ("one\n", "two\n"):
        apply(bench, in_place(root, ("/etc/motd", text)))
    with bench.killed_at(point):
        undo(bench, in_place(root))

    undo(bench, in_place(root))

    assert (root / "etc/motd").read_text() == "one\n"
    assert operations(bench, "undo.intended") == operations(bench, "undo.done")


def test_what_was_changed_since_is_undone_by_force_alone(bench: Bench, root: Path) -> None:
    apply(bench, in_place(root, MOTD))
    (root / "etc/motd").write_text("somebody else's\n")

    with pytest.raises(Denied, match="something was changed after it"):
        undo(bench, in_place(root))
    undo(bench, in_place(root), force=True)

    assert not (root / "etc/motd").exists()


def test_an_undo_that_fails_is_told_as_failed_and_can_be_tried_again(bench: Bench, root: Path) -> None:
    (root / "etc/motd").write_text("before\n")
    apply(bench, in_place(root, MOTD))
    (root / "etc/motd").unlink()
    (root / "etc/motd").mkdir()
    (root / "etc/motd/inside").touch()

    failed = undo(bench, in_place(root), force=True)
    (root / "etc/motd/inside").unlink()
    (root / "etc/motd").rmdir()
    undo(bench, in_place(root), force=True)

    assert [outcome.outcome for outcome in failed.failed] == ["failed"]
    assert bench.told("undo.failed", "undo.done") == ["undo.failed", "undo.done"]
    assert (root / "etc/motd").read_text() == "before\n"


# -- at the border ---------------------------------------------------------------------------------------------------


def test_a_host_that_does_not_answer_is_an_error_of_its_own(bench: Bench, root: Path) -> None:
    bench.unreachable = True

    with pytest.raises(TargetUnreachable):
        plan(bench, in_place(root, MOTD))


def test_an_answer_that_lacks_a_part_is_the_targets_fault() -> None:
    answer: JSONObject = {"observations": [], "runs": []}

    with pytest.raises(TargetFailed, match="lacks 'owned'"):
        mutable.seen_from(answer)


def test_of_very_many_changes_the_ledger_names_the_first(bench: Bench, root: Path) -> None:
    with bench.killed_at("apply.intent"):
        apply(bench, in_place(root, *((f"/etc/{number:03}", "") for number in range(505))))

    told = bench.bodies("apply.intended")[0]["changes"]
    assert isinstance(told, list)
    assert len(told) == 500
