"""The payload is really killed at every crash point of an apply and of an undo; the same command run again finishes the job."""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest
from tests.amount import amount

from converging import Machine, Payloads
from vitrify.core.diagnostic import TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.core.resource import Resource
from vitrify.onhost.failpoint import LOG, WHERE
from vitrify.testing.engine import MEMORY, wish
from vitrify.transports.local import PYTHON

pytestmark = pytest.mark.e2e

LEFT_BY_PACKAGE = "[main]\ncolour = grey\n"


@pytest.fixture
def payloads(tmp_path: Path) -> Iterator[Payloads]:
    found = Payloads(tmp_path / "home")
    yield found
    found.close()


def start(folder: Path, payloads: Payloads) -> Machine:
    """A folder with something in it that will be changed, replaced, adopted and left alone."""
    machine = Machine(folder / "root", payloads)
    (machine.root / "etc").mkdir(parents=True)
    (machine.root / "var/lib").mkdir(parents=True)
    (machine.root / "etc/app.conf").write_text(LEFT_BY_PACKAGE)
    (machine.root / "etc/app.conf").chmod(0o640)
    (machine.root / "etc/hosts").write_text("127.0.0.1 localhost\n")
    (machine.root / "etc/old").symlink_to("nowhere")
    (machine.root / "etc/gone").write_text("to be removed\n")
    (machine.root / "etc/foreign").write_text("nobody's business\n")
    for path in sorted(machine.root.rglob("*"), reverse=True):
        os.utime(path, ns=(1_600_000_000_000_000_000, 1_600_000_000_000_000_001), follow_symlinks=False)
    return machine


def wishes(machine: Machine) -> list[Resource]:
    entries = {
        "bin": {"type": "directory", "mode": "0755"},
        "bin/serve": {"type": "file", "mode": "0755", "content": machine.text("#!/bin/sh\n")},
        "latest": {"type": "link", "to": "bin"},
    }
    return [
        wish("file", path="/etc/app.conf", content=machine.text("[main]\ncolour = blue\n"), mode="0600"),
        wish("file", path="/etc/hosts"),
        wish("link", path="/etc/old", to="app.conf"),
        wish("file", path="/etc/gone", absent=True),
        wish("directory", path="/srv", mode="0750"),
        wish("tree", to="/srv/app", entries=entries),  # type: ignore[arg-type]
        wish("line", path="/etc/hosts", line="10.0.0.7 db"),
    ]


def reached(log: Path) -> list[str]:
    """Each crash point as it is named when it is to be the n-th of its name."""
    counted: Counter[str] = Counter()
    found = []
    for name in log.read_text().splitlines():
        counted[name] += 1
        found.append(f"{name}#{counted[name]}")
    return found


def killed_at(point: str, act: Callable[..., object]) -> None:
    with pytest.raises(TargetUnreachable, match="killed by signal 9"):
        act(environ={WHERE: point})


def strays(machine: Machine) -> list[str]:
    return [str(path) for path in machine.root.rglob("*") if path.name.startswith(".vitrify")]


def copied(source: Machine, folder: Path) -> Machine:
    shutil.copytree(source.root, folder / "root", symlinks=True)
    for path in [source.root, *source.root.rglob("*")]:
        status = path.lstat()
        twin = folder / "root" / path.relative_to(source.root)
        os.utime(twin, ns=(status.st_atime_ns, status.st_mtime_ns), follow_symlinks=False)
    return Machine(folder / "root", source.payloads, contents=source.contents)


def test_an_apply_that_is_killed_anywhere_is_finished_by_running_it_again(tmp_path: Path, payloads: Payloads) -> None:
    model = start(tmp_path / "model", payloads)
    declared = wishes(model)
    before = model.tree()
    log = tmp_path / "points"
    model.apply(declared, run="r1", environ={LOG: str(log)})
    points, converged, owned = reached(log), model.tree(times=False), model.owned()

    for number, point in enumerate(points):
        machine = start(tmp_path / str(number), payloads)
        machine.contents = model.contents
        killed_at(point, partial(machine.apply, declared, run="r1"))
        machine.apply(declared, run="r2")

        assert machine.tree(times=False) == converged, point
        assert machine.owned() == owned, point
        assert machine.changes(declared) == [], point
        assert strays(machine) == [], point
        machine.undo_everything()
        assert machine.tree() == before, point
        assert machine.owned() == {}, point
        shutil.rmtree(machine.root)

    steps = {point.partition("#")[0] for point in points}
    assert steps == {"each.act"} | {f"{step}.{moment}" for step in ("lease", "run", "enact") for moment in ("intent", "act", "outcome")}


def test_an_undo_that_is_killed_anywhere_is_finished_by_running_it_again(tmp_path: Path, payloads: Payloads) -> None:
    model = start(tmp_path / "model", payloads)
    declared = wishes(model)
    before = model.tree()
    model.apply(declared, run="r1")
    log = tmp_path / "points"
    whole = copied(model, tmp_path / "whole")
    whole.undo(environ={LOG: str(log)})
    points = reached(log)
    assert whole.tree() == before

    for number, point in enumerate(points):
        machine = copied(model, tmp_path / str(number))
        killed_at(point, machine.undo)
        if point not in ("undo-run.outcome#1", "lease.act#1", "lease.outcome#1"):  # by then it is undone, and there is nothing left to undo
            machine.undo()

        assert machine.tree() == before, point
        assert machine.owned() == {}, point
        assert strays(machine) == [], point
        shutil.rmtree(machine.root)

    steps = {point.partition("#")[0] for point in points}
    assert steps == {f"{step}.{moment}" for step in ("lease", "undo-run", "undo") for moment in ("intent", "act", "outcome")}


def test_the_very_plan_that_was_cut_short_may_be_applied_again(tmp_path: Path, payloads: Payloads) -> None:
    machine = start(tmp_path, payloads)
    declared = wishes(machine)
    arguments = machine.planned(declared, run="r1")
    killed_at("enact.act#3", partial(machine.call, "enact", arguments))

    answer = machine.call("enact", arguments)

    assert answer["run"] == "r1"
    assert {result["outcome"] for result in answer["results"]} == {"done"}  # type: ignore[union-attr,index,call-overload]
    assert machine.changes(declared) == []


def test_an_apply_after_an_undo_that_was_cut_short_starts_from_what_is_there(tmp_path: Path, payloads: Payloads) -> None:
    machine = start(tmp_path, payloads)
    declared = wishes(machine)
    before = machine.tree()
    machine.apply(declared, run="r1")
    killed_at("undo.act#3", machine.undo)

    machine.apply(declared, run="r2")

    assert machine.changes(declared) == []
    machine.undo()
    machine.undo()
    assert machine.tree(times=False) == {name: (*entry[:3], 0, *entry[4:]) for name, entry in before.items()}


def test_memory_is_for_its_owner_alone(tmp_path: Path, payloads: Payloads) -> None:
    machine = start(tmp_path, payloads)
    machine.apply(wishes(machine), run="r1")

    modes = {path.stat().st_mode & 0o077 for path in (machine.root / MEMORY, *(machine.root / MEMORY).rglob("*"))}

    assert modes == {0}


def test_a_kill_at_any_moment_leaves_nothing_half_done(tmp_path: Path, record_property: Callable[[str, object], None]) -> None:
    payloads = killable(tmp_path)
    seed = int(os.environ.get("VITRIFY_SEED", time.time_ns() % 1_000_000))
    chance = random.Random(seed)  # noqa: S311  not for secrets
    model = start(tmp_path / "model", payloads)
    declared = wishes(model)
    before = model.tree()
    model.apply(declared, run="r1")
    usual = start(tmp_path / "usual", payloads)
    usual.contents = model.contents
    arguments = usual.planned(declared, run="r1")
    began = time.monotonic()
    assert not cut_short(usual, "enact", arguments, after=60)
    took = time.monotonic() - began
    converged, killed, rounds = model.tree(times=False), 0, amount("payload_kill", daily=12)

    for number in range(rounds):
        machine = start(tmp_path / str(number), payloads)
        machine.contents = model.contents
        killed += cut_short(machine, "enact", machine.planned(declared, run="r1"), after=chance.uniform(0, took))
        machine.apply(declared, run="r2")
        assert machine.tree(times=False) == converged, (seed, number)
        killed += cut_short(machine, "undo", {"run": "", "force": False, "by": "ada"}, after=chance.uniform(0, took))
        machine.undo_everything()
        if strays(machine):  # killed while it gave back its lease, with all else done: the next who takes one writes that file anew
            machine.apply(declared, run="r3")
            machine.undo_everything()

        assert machine.tree() == before, (seed, number)
        assert machine.owned() == {}, (seed, number)
        assert strays(machine) == [], (seed, number)
    payloads.close()
    record_property("note", f"payload: {killed} of {2 * rounds} calls killed at a random moment, seed {seed}")
    assert killed


def killable(folder: Path) -> Payloads:
    """Payloads that write down which process they are."""
    python = folder / "python"
    python.write_text(f'#!/bin/sh\necho $$ > {folder}/pid\nexec {PYTHON} "$@"\n')
    python.chmod(0o755)
    return Payloads(folder / "home", python=str(python))


def cut_short(machine: Machine, name: str, arguments: JSONObject, *, after: float) -> bool:
    scoped = {"scope": machine.scope(), **arguments}
    return machine.payloads.kill(name, scoped, machine.contents, after=after, pid=machine.root.parents[1] / "pid")


def a_python(version: str) -> str | None:
    """One that runs: what a version switcher puts on PATH may be nothing but a message."""
    installed = [str(path) for path in Path.home().glob(f".pyenv/versions/{version}.*/bin/python3")]
    for program in (f"python{version}", *installed):
        found = shutil.which(program)
        if found and subprocess.run([found, "-c", ""], capture_output=True, check=False).returncode == 0:
            return found
    return None


@pytest.mark.parametrize("version", ["3.9", "3.10", "3.12", "3.13"])
def test_the_payload_runs_on_every_python_from_the_oldest_to_the_newest(version: str, tmp_path: Path) -> None:
    python = a_python(version)
    if python is None:
        pytest.skip(f"there is no Python {version} here")
    payloads = Payloads(tmp_path / "home", python=python)
    machine = start(tmp_path, payloads)
    before = machine.tree()
    declared = wishes(machine)

    machine.apply(declared, run="r1")
    assert machine.changes(declared) == []
    machine.undo()
    payloads.close()

    assert machine.tree() == before
