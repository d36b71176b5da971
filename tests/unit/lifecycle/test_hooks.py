"""Hooks are run around the phases of an operation, once each, and a failing one stops what it was run for."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

import pytest
from bench import ROLLOUT, Bench, a_server, do, in_place

from vitrify.core.declaration import Server
from vitrify.core.diagnostic import PreviousStillServing, TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.event import Stage
from vitrify.core.hook import EXPAND, HOST, NEXT, Hook
from vitrify.core.strategy import Manner, Weight
from vitrify.lifecycle import baking, keeping, mutable, undoing
from vitrify.lifecycle.world import Desk, World

STEPS = ("launch", "gate", "switch", "probation", "drain")
GOING_BACK = [(phase, before) for phase in STEPS[:-1] for before in (True, False)]


@pytest.fixture
def bench() -> Bench:
    return Bench()


def before(phase: str, *command: str, **more: object) -> Hook:
    return Hook(phase, command or (f"before-{phase}",), **more)  # type: ignore[arg-type]


def after(phase: str, *command: str, **more: object) -> Hook:
    return Hook(phase, command or (f"after-{phase}",), before=False, **more)  # type: ignore[arg-type]


def with_hooks(server: Server, *hooks: Hook) -> Server:
    return replace(server, hooks=hooks)


def both(*phases: str) -> tuple[Hook, ...]:
    return tuple(hook for phase in phases for hook in (before(phase, stops=False), after(phase, stops=False)))


def told(bench: Bench, number: int = -1) -> Mapping[str, JSON]:
    """The context that a hook was given."""
    context = json.loads(str(bench.hooks[number]["stdin"]))
    assert isinstance(context, dict)
    return context


def test_each_phase_of_a_release_has_a_moment_before_and_one_after(bench: Bench) -> None:
    bench.apply(with_hooks(a_server(), *both("release", *STEPS)))

    around = [f"{moment}-{step}" for step in STEPS for moment in ("before", "after")]
    assert bench.ran == ["before-release", *around, "after-release"]


@pytest.mark.parametrize("strategy", ["blue-green", "canary", "recreate", "rolling"])
def test_whatever_the_strategy_each_moment_comes_once_and_before_any_request_is_moved(bench: Bench, strategy: str) -> None:
    manner = Manner(steps=(Weight(25, 1.0),))
    rollout = replace(ROLLOUT, strategy=strategy, probation=0.0, manner=manner)
    replicas = 1 if strategy == "recreate" else 3
    bench.apply(a_server("one", replicas=replicas, rollout=rollout))
    bench.ran.clear()
    moved: list[int] = []
    switches = len(bench.router.switches)
    bench.happens_in["widen"] = lambda: moved.append(len(bench.router.switches) - switches)

    hooks = (*both("release", *STEPS), Hook(EXPAND, ("widen",), on=NEXT))
    bench.apply(with_hooks(a_server("two", replicas=replicas, rollout=rollout), *hooks))

    ran = [command for command in bench.ran if command != "widen"]
    assert sorted(ran) == sorted(f"{moment}-{step}" for step in ("release", *STEPS) for moment in ("before", "after"))
    assert (ran[0], ran[-1]) == ("before-release", "after-release")
    assert bench.ran.index("widen") < bench.ran.index("before-gate") < bench.ran.index("after-gate") < bench.ran.index("before-switch")
    assert moved == [0]


def test_hooks_are_no_reason_for_a_new_release_and_a_rollback_runs_those_of_the_release_that_it_makes_live(bench: Bench) -> None:
    bench.apply(with_hooks(a_server("one"), before("switch", "old")))
    bench.apply(with_hooks(a_server("two"), before("switch", "new")))
    assert bench.plan(with_hooks(a_server("two"), before("switch", "other"))).empty
    bench.hooks.clear()

    bench.rollback()

    assert bench.ran == ["old"]
    assert told(bench)["operation"] == {"kind": "rollback", "id": bench.bodies("rollback.done")[0]["operation"]}


def test_a_hook_may_be_for_some_operations_only(bench: Bench) -> None:
    hooks = (before("switch", "forward", only=("release",)), before("switch", "back", only=("rollback", "replace")))
    bench.apply(with_hooks(a_server("one"), *hooks))
    bench.apply(with_hooks(a_server("two"), *hooks))
    bench.rollback()

    assert bench.ran == ["forward", "forward", "back"]


def test_a_hook_reads_what_it_is_about_and_has_no_variable_of_a_flag_of_ours(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(with_hooks(a_server("two"), after("switch")))

    image = bench.release(2).image
    assert told(bench) == {
        "schema": "vitrify.dev/hook-context/v1",
        "phase": "switch",
        "moment": "after",
        "operation": {"kind": "release", "id": bench.bodies("release.done")[-1]["operation"]},
        "project": "0123456789abcdef",
        "server": "web",
        "host": "local",
        "repeated": False,
        "release": {"number": 2, "image": image, "live": 1, "previous": None},
    }
    environment = bench.hooks[0]["environment"]
    assert isinstance(environment, dict)
    assert {name: value for name, value in environment.items() if name.startswith("VITRIFY_")} == {
        "VITRIFY_HOOK_PHASE": "switch",
        "VITRIFY_HOOK_MOMENT": "after",
        "VITRIFY_HOOK_OPERATION": "release",
        "VITRIFY_HOOK_SERVER": "web",
        "VITRIFY_HOOK_HOST": "local",
        "VITRIFY_HOOK_RELEASE": "2",
    }


def test_a_hook_of_this_machine_runs_in_the_project_and_inherits_what_was_chosen_a_hook_elsewhere_nothing(bench: Bench) -> None:
    server = with_hooks(a_server(), before("launch", "here"), before("launch", "there", on=HOST))
    world = replace(bench.world, desk=Desk("/srv/project", {"HOME": "/home/ada"}))
    planned = bench.plan(server)

    do(_applied(server, planned, world))

    here, there = bench.hooks
    assert (here["folder"], there["folder"]) == ("/srv/project", "/")
    assert ("HOME" in dict(here["environment"]), "HOME" in dict(there["environment"])) == (True, False)  # type: ignore[arg-type]


async def _applied(server: Server, planned: object, world: World) -> None:
    from vitrify.lifecycle import immutable

    await immutable.apply(server, server.hosts[0], planned, world)  # type: ignore[arg-type]


def test_a_secret_reaches_a_hook_as_a_variable_and_is_named_as_one_to_hide(bench: Bench) -> None:
    server = with_hooks(a_server(secrets={"token": "t0psecret"}), before("launch", env={"TOKEN": "secret:token", "PLAIN": "yes"}))
    bench.apply(server)

    environment = bench.hooks[0]["environment"]
    assert isinstance(environment, dict)
    assert (environment["TOKEN"], environment["PLAIN"], bench.hooks[0]["secrets"]) == ("t0psecret", "yes", ["TOKEN"])
    kept = json.dumps([dict(entry.body) for entry in bench.ledger.entries()]) + json.dumps(bench.release(1).settings)
    assert "t0psecret" not in kept


def test_inside_an_instance_means_one_of_the_release_and_the_hook_is_told_which(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.apply(with_hooks(a_server("two"), after("launch", on=NEXT)))

    assert bench.hooks[0]["id"] == told(bench)["instance"] == bench.running(release=2)[0]


@pytest.mark.parametrize(("phase", "first"), GOING_BACK)
def test_a_failing_hook_ends_the_rollout_and_what_served_goes_on(bench: Bench, phase: str, first: bool) -> None:  # noqa: FBT001  a parameter
    hook = before(phase) if first else after(phase)
    bench.apply(a_server("one"))
    bench.hook_ends[hook.command[0]] = 3

    with pytest.raises(PreviousStillServing) as error:
        bench.apply(with_hooks(a_server("two"), hook))

    problem = error.value.diagnostics[0]
    assert "release 1 still serves" in problem.summary
    assert f"the hook {hook.name} ended with 3" in problem.why
    assert f"its last words: {hook.command[0]} said so" in problem.why
    assert bench.serving() == bench.running(release=1) != []
    assert (bench.slots(), bench.states()) == ((1, None), {1: "live", 2: "aborted"})
    assert bench.running(release=2) == []
    assert "said so" not in json.dumps([dict(entry.body) for entry in bench.ledger.entries()])


@pytest.mark.parametrize(("phase", "first"), GOING_BACK)
def test_without_a_route_it_is_the_same(bench: Bench, phase: str, first: bool) -> None:  # noqa: FBT001  a parameter
    hook = before(phase) if first else after(phase)
    bench.apply(a_server("one", route=None))
    bench.hook_ends[hook.command[0]] = 3

    with pytest.raises(PreviousStillServing):
        bench.apply(with_hooks(a_server("two", route=None), hook))

    assert bench.running() == bench.running(release=1) != []
    assert bench.slots() == (1, None)


def test_a_hook_that_only_warns_is_told_and_the_release_goes_on(bench: Bench) -> None:
    bench.hook_ends["before-switch"] = 1
    bench.apply(with_hooks(a_server(), before("switch", stops=False)))

    assert bench.slots() == (1, None)
    assert [event.detail for event in bench.events if (event.what, event.stage) == ("hook", Stage.FAILED)] != []
    assert bench.told("hook.failed") == ["hook.failed"]


def test_a_hook_that_takes_too_long_failed(bench: Bench) -> None:
    bench.hook_ends["before-switch"] = None

    with pytest.raises(PreviousStillServing) as error:
        bench.apply(with_hooks(a_server(), before("switch", timeout=2.0)))

    assert "did not end within 2 s" in error.value.diagnostics[0].why


def test_hooks_of_the_way_back_are_run_and_cannot_stop_it(bench: Bench) -> None:
    bench.apply(a_server("one"))
    bench.hook_ends |= {"after-probation": 1, "before-switch_back": 1, "after-abort": 1}

    with pytest.raises(PreviousStillServing):
        bench.apply(with_hooks(a_server("two"), after("probation"), *both("switch_back", "abort")))

    assert bench.ran == ["after-probation", "before-switch_back", "after-switch_back", "before-abort", "after-abort"]
    assert bench.serving() == bench.running(release=1) != []


POINTS = ("hook.intent", "hook.act", "hook.outcome")
MOMENTS = [(hook, point) for hook in both(*STEPS) for point in POINTS]


@pytest.mark.parametrize(("hook", "point"), MOMENTS, ids=[f"{hook.name} {point}" for hook, point in MOMENTS])
def test_killed_at_a_hook_the_same_command_finishes_and_runs_it_again_only_where_it_was_cut_short(
    bench: Bench, hook: Hook, point: str
) -> None:
    bench.apply(a_server("one"))
    server = with_hooks(a_server("two"), replace(hook, stops=hook.phase != "drain"))
    with bench.killed_at(point):
        bench.apply(server)

    bench.apply(server)

    again = point != "hook.outcome"
    assert len(bench.hooks) == (2 if again and point == "hook.act" else 1)
    assert bench.slots() == (2, 1)
    assert told(bench)["repeated"] is again
    assert bench.told("hook.intended", "hook.done") == ["hook.intended", "hook.done"]
    assert bench.serving() == bench.running(release=2) != []


def test_killed_behind_a_failed_hook_the_same_command_comes_to_the_same_end_without_running_it(bench: Bench) -> None:
    bench.apply(a_server("one"))
    server = with_hooks(a_server("two"), before("switch"))
    bench.hook_ends["before-switch"] = 1
    with bench.killed_at("hook.outcome"):
        bench.apply(server)
    bench.hook_ends.clear()

    with pytest.raises(PreviousStillServing):
        bench.apply(server)

    assert (len(bench.hooks), bench.slots()) == (1, (1, None))
    bench.apply(server)  # a new release, a new operation
    assert (len(bench.hooks), bench.slots()) == (2, (3, 1))


def test_a_retirement_has_hooks_and_one_before_it_may_stop_it(bench: Bench) -> None:
    bench.apply(with_hooks(a_server(), before("retire"), after("retire")))
    bench.hook_ends["before-retire"] = 1
    with pytest.raises(TargetFailed, match="before retire ended with 1"):
        bench.retire()
    assert bench.serving() == bench.running() != []
    assert (bench.state.open_operation("web", "local"), bench.slots()) == (None, (1, None))
    bench.hook_ends.clear()

    assert bench.retire() == 1

    assert bench.ran == ["before-retire", "before-retire", "after-retire"]
    assert bench.told()[-1] == "retire.done"


def test_a_bake_has_hooks_of_its_own(bench: Bench) -> None:
    server = with_hooks(a_server(), before("bake"), after("bake"))
    image = do(baking.bake(server, server.hosts[0], bench.world))
    assert (bench.ran, told(bench)["image"]) == (["before-bake", "after-bake"], image.digest)
    bench.hook_ends["before-bake"] = 1

    with pytest.raises(TargetFailed, match="before bake ended with 1"):
        do(baking.bake(server, server.hosts[0], bench.world))


# -- in place ------------------------------------------------------------------------------------------------------


@pytest.fixture
def root(tmp_path: Path) -> Path:
    for folder in ("etc", "var/lib"):
        (tmp_path / folder).mkdir(parents=True)
    return tmp_path


def converge(bench: Bench, server: Server) -> None:
    planned = do(mutable.plan(server, server.hosts[0], bench.world))
    if not planned.empty or planned.bookkeeping or mutable.unrecorded(server, server.hosts[0], bench.world):
        do(mutable.apply(server, server.hosts[0], planned, bench.world))


def a_host(root: Path, text: str, *hooks: Hook) -> Server:
    return with_hooks(in_place(root, ("/etc/motd", text)), *hooks)


def test_an_apply_and_an_undo_in_place_have_hooks_too(bench: Bench, root: Path) -> None:
    server = a_host(root, "one\n", before("apply"), after("apply"), before("undo"), after("undo"))
    converge(bench, server)
    assert (bench.ran, told(bench)["changes"]) == (["before-apply", "after-apply"], [["file:/etc/motd", "create"]])
    converge(bench, server)
    assert bench.ran == ["before-apply", "after-apply"], "where nothing changes, nothing is run"

    do(undoing.undo(server, server.hosts[0], bench.world))

    assert bench.ran[2:] == ["before-undo", "after-undo"]
    assert not (root / "etc/motd").exists()


def test_a_hook_before_an_apply_that_fails_leaves_the_host_alone_and_the_next_apply_begins_anew(bench: Bench, root: Path) -> None:
    server = a_host(root, "one\n", before("apply"))
    bench.hook_ends["before-apply"] = 1
    with pytest.raises(TargetFailed, match="before apply ended with 1"):
        converge(bench, server)
    assert not (root / "etc/motd").exists()
    assert bench.told("apply.intended", "apply.failed") == ["apply.intended", "apply.failed"]
    bench.hook_ends.clear()

    converge(bench, server)

    assert (root / "etc/motd").read_text() == "one\n"
    assert len(bench.hooks) == 2


def test_a_hook_after_an_apply_that_fails_is_told_and_the_apply_stands(bench: Bench, root: Path) -> None:
    server = a_host(root, "one\n", after("apply"))
    bench.hook_ends["after-apply"] = 1
    with pytest.raises(TargetFailed, match="after apply ended with 1"):
        converge(bench, server)

    assert (root / "etc/motd").read_text() == "one\n"
    assert bench.told()[-1] == "apply.done"


@pytest.mark.parametrize("point", ["hook.intent", "hook.act", "hook.outcome", "apply.act"])
@pytest.mark.parametrize("hook", [before("apply"), after("apply")], ids=["before", "after"])
def test_killed_around_a_hook_in_place_the_next_apply_goes_on_under_the_same_name(bench: Bench, root: Path, point: str, hook: Hook) -> None:
    server = a_host(root, "one\n", hook)
    with bench.killed_at(point):
        converge(bench, server)

    converge(bench, server)

    assert (root / "etc/motd").read_text() == "one\n"
    assert bench.told("hook.intended", "hook.done") == ["hook.intended", "hook.done"]
    assert len(bench.hooks) == (2 if point == "hook.act" else 1)
    assert len(bench.told("apply.intended", "apply.done")) == 2


def test_a_server_in_place_is_retired_with_its_hooks_and_without_those_of_an_apply(bench: Bench, root: Path) -> None:
    server = a_host(root, "one\n", before("apply"), before("retire"), after("retire"))
    converge(bench, server)
    bench.hooks.clear()
    bare = keeping.without_wishes("web", server.hosts, declared=[server])
    planned, _ = do(keeping.plan_to_leave(bare, bench.world, parallel=1))
    bench.hook_ends["before-retire"] = 1
    with pytest.raises(TargetFailed, match="before retire ended with 1"):
        do(keeping.leave(bare, planned, bench.world, parallel=1))
    assert (root / "etc/motd").exists()
    bench.hook_ends.clear()

    do(keeping.leave(bare, planned, bench.world, parallel=1))

    assert bench.ran == ["before-retire", "before-retire", "after-retire"]
    assert not (root / "etc/motd").exists()
