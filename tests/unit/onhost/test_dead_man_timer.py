"""The dead-man's timer: armed before a run, gone once it is confirmed, and true to its word where nobody confirms it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import cast

import pytest

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.core.event import silence
from vitrify.core.step import carry_on
from vitrify.core.system import Command, Completed
from vitrify.onhost import dead_man
from vitrify.onhost.context import Context
from vitrify.onhost.dead_man import TRIES, UNITS, WANTS, alone, arm, armed, disarm, stands
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.scope import Here
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import MEMORY, PROJECT, Engine, quick_folder
from vitrify.testing.memory_programs import MemorySystemctl
from vitrify.testing.memory_system import MemorySystem, Node

NAME = "vitrify-dead-man-r1"
MADE = {f"{UNITS}/{NAME}.service", f"{UNITS}/{NAME}.timer", f"{WANTS}/{NAME}.timer"}


@pytest.fixture
def root() -> Iterator[Path]:
    with quick_folder() as folder:
        (folder / "etc").mkdir()
        yield folder


@pytest.fixture
def systemctl() -> MemorySystemctl:
    return MemorySystemctl()


def on(system: MemorySystem, root: Path, *, server: str = "web") -> Here:
    """A target whose files and units are in memory, and whose own memory is a folder."""
    scope: JSONObject = {"target": "folder", "root": str(root), "lower": [], "project": PROJECT, "server": server}
    arguments: JSONObject = {"scope": {**scope, "memory": str(root / MEMORY), "bwrap": "", "key": "00"}}
    context = Context(emit=silence, blob=lambda _: b"", reached=carry_on, kinds=all_kinds(), clock=lambda: 0.0)
    here = replace(Here.at(context, arguments), system=cast("Rooted", system))
    here.memory.prepare()
    return here


def a_host(systemctl: MemorySystemctl) -> MemorySystem:
    system = MemorySystem(programs={"systemctl": systemctl})
    system.put(UNITS, Node("directory", mode="0755"))
    return system


def kept(root: Path) -> set[str]:
    return {path.name for path in (root / MEMORY).glob("vitrify-dead-man*")}


# -- armed and confirmed ---------------------------------------------------------------------------------------------


def test_an_armed_run_has_a_timer_that_also_starts_with_the_machine(root: Path, systemctl: MemorySystemctl) -> None:
    system = a_host(systemctl)

    arm(on(system, root), "r1", 120.0, running=__file__)

    assert {path for path in system.nodes if NAME in path} == MADE
    assert system.nodes[f"{WANTS}/{NAME}.timer"].to == f"{UNITS}/{NAME}.timer"
    assert "OnActiveSec=120.000\n" in system.read(f"{UNITS}/{NAME}.timer").decode()
    assert systemctl.told == [("restart", f"{NAME}.timer")]
    assert kept(root) == {f"{NAME}.json", f"{NAME}.pyz"}


def test_an_undo_that_fails_is_begun_again_after_longer_and_longer_waits(root: Path, systemctl: MemorySystemctl) -> None:
    system = a_host(systemctl)

    arm(on(system, root), "r1", 120.0, running=__file__)

    lines = system.read(f"{UNITS}/{NAME}.timer").decode().splitlines()
    tries = [float(line.partition("=")[2]) for line in lines if line.startswith("OnActiveSec=")]
    waits = [later - sooner for sooner, later in pairwise(tries)]
    assert (tries[0], waits[0], len(tries)) == (120.0, 5.0, TRIES)
    assert all(later == 2 * sooner for sooner, later in pairwise(waits))
    assert waits[-1] > 11 * 3600


def test_a_very_long_time_is_one_that_systemd_can_read(root: Path, systemctl: MemorySystemctl) -> None:
    system = a_host(systemctl)

    arm(on(system, root), "r1", 2_500_000.5, running=__file__)

    assert "OnActiveSec=2500000.500\n" in system.read(f"{UNITS}/{NAME}.timer").decode()


def test_what_is_needed_to_go_back_is_for_root_alone_and_names_the_run(root: Path, systemctl: MemorySystemctl) -> None:
    arm(on(a_host(systemctl), root), "r1", 120.0, running=__file__)

    files = [root / MEMORY / name for name in kept(root)]
    asked = json.loads((root / MEMORY / f"{NAME}.json").read_text())
    assert all(file.stat().st_mode & 0o077 == 0 for file in files)
    assert (asked["call"], asked["arguments"]["run"], asked["arguments"]["force"]) == ("undo", "r1", True)


def test_arming_twice_begins_the_time_anew(root: Path, systemctl: MemorySystemctl) -> None:
    system = a_host(systemctl)
    here = on(system, root)
    arm(here, "r1", 120.0, running=__file__)
    before = system.tree()

    arm(here, "r1", 120.0, running=__file__)

    assert {path: node.content for path, node in system.tree().items()} == {path: node.content for path, node in before.items()}
    assert systemctl.told == [("restart", f"{NAME}.timer")] * 2


def test_without_systemd_nothing_is_armed_and_nothing_written(root: Path) -> None:
    system = MemorySystem()

    with pytest.raises(Denied, match="has no systemd that could take it back"):
        arm(on(system, root), "r1", 120.0, running=__file__)

    assert (list(system.nodes), kept(root)) == (["/"], set())


def test_a_timer_that_systemd_refuses_is_told_and_still_counts_as_armed(root: Path) -> None:
    def refusing(_: MemorySystem, command: Command) -> Completed:
        return Completed(1 if command.argv[1] == "restart" else 0, "", "no such thing\n")

    system = MemorySystem(programs={"systemctl": refusing})
    system.put(UNITS, Node("directory", mode="0755"))
    here = on(system, root)

    with pytest.raises(TargetFailed, match=rf"systemctl restart {NAME}.timer ended with 1") as failed:
        arm(here, "r1", 120.0, running=__file__)

    assert "no such thing" in str(failed.value)
    assert armed(here) == ["r1"], "its link starts it with the machine: it has to be confirmed as well"


def test_a_confirmed_run_stands_and_leaves_nothing_behind(root: Path, systemctl: MemorySystemctl) -> None:
    system = a_host(systemctl)
    here = on(system, root)
    arm(here, "r1", 120.0, running=__file__)

    assert stands(here, "r1")
    assert stands(here, "r1"), "confirming twice is harmless"

    assert not [path for path in system.nodes if NAME in path]
    assert kept(root) == set()
    assert systemctl.told[1:] == [("stop", f"{NAME}.timer")]
    assert armed(here) == []


def test_the_runs_of_another_server_are_not_ours_to_confirm(root: Path, systemctl: MemorySystemctl) -> None:
    system = a_host(systemctl)
    arm(on(system, root), "r1", 120.0, running=__file__)
    arm(on(system, root, server="db"), "r2", 120.0, running=__file__)
    system.put(f"{UNITS}/vitrify-dead-man-r3.timer", Node("file", content=b"by somebody else\n"))

    assert armed(on(system, root)) == ["r1"]
    assert armed(on(system, root, server="db")) == ["r2"]


def test_disarming_what_was_never_armed_asks_systemd_for_nothing(root: Path, systemctl: MemorySystemctl) -> None:
    assert not disarm(on(a_host(systemctl), root), "r1")

    assert systemctl.told == []


# -- when nobody confirms --------------------------------------------------------------------------------------------


def left_to_itself(root: Path, **changed: object) -> str:
    """A run on a folder that was not confirmed; the file from which it is taken back."""
    engine = Engine(root)
    engine.apply(engine.file("/etc/motd", "shut\n"))
    here = on(MemorySystem(), root)
    arguments = dead_man._arguments(here, "r1")  # noqa: SLF001  what `arm` keeps, without a systemd in this folder
    here.memory.write(f"{NAME}.json", {"call": "undo", "arguments": arguments, **changed})  # type: ignore[dict-item]
    return here.memory.path(f"{NAME}.json")


def test_a_run_that_nobody_confirms_is_taken_back_and_cleared_up_after(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = left_to_itself(root)

    assert alone(file, all_kinds()) == 0

    assert not (root / "etc/motd").exists()
    assert kept(root) == set()
    assert "taken back" in capsys.readouterr().err
    assert Engine(root).states() == [("r1", "undone")]


def test_a_run_that_was_taken_back_does_not_stand(root: Path) -> None:
    alone(left_to_itself(root), all_kinds())

    assert not stands(on(MemorySystem(), root), "r1")


def test_a_run_that_is_confirmed_while_its_undo_waits_for_it_stands(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    file = left_to_itself(root)
    asked = json.loads(Path(file).read_text())
    assert stands(on(MemorySystem(), root), "r1")
    # The timer had read its file already when the run was confirmed.
    other = root / "etc/asked.json"
    other.write_text(json.dumps(asked))

    assert alone(str(other), all_kinds()) == 0

    assert (root / "etc/motd").read_text() == "shut\n"
    assert "run r1 stands" in capsys.readouterr().err


def test_a_run_that_was_confirmed_before_is_left_alone(root: Path) -> None:
    assert alone(str(root / "gone.json"), all_kinds()) == 0


def test_a_run_that_was_undone_by_hand_is_only_cleared_up_after(root: Path) -> None:
    file = left_to_itself(root)
    engine = Engine(root)
    engine.call("undo", run="r1", force=False, by="ada")
    (root / "etc/motd").write_text("mine\n")

    assert alone(file, all_kinds()) == 0

    assert (root / "etc/motd").read_text() == "mine\n"
    assert kept(root) == set()


def test_an_undo_that_fails_is_told_and_can_be_tried_again(root: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (root / "etc/motd").write_text("open\n")
    file = left_to_itself(root)
    (image,) = [path for path in (root / MEMORY / "before").rglob("*") if path.is_file() and path.read_text() == "open\n"]
    image.rename(root / "etc/image")

    assert alone(file, all_kinds()) == 1
    assert "taken back in part" in capsys.readouterr().err
    assert kept(root) == {f"{NAME}.json"}

    (root / "etc/image").rename(image)
    assert alone(file, all_kinds()) == 0
    assert (root / "etc/motd").read_text() == "open\n"
    assert kept(root) == set()


def test_a_file_that_names_no_call_of_ours_does_nothing(root: Path) -> None:
    assert alone(left_to_itself(root, call="nonsense"), all_kinds()) == 1

    assert (root / "etc/motd").exists()
