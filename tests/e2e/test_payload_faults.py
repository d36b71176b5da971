"""What a target may throw at the payload: full and read-only disks, hostile links, damaged memories. Clear errors, nothing lost."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from converging import Machine, Payloads
from vitrify.core.diagnostic import Busy, Denied, IntegrityFailed, TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.testing.engine import MEMORY, wish
from vitrify.transports.local import PYTHON

pytestmark = pytest.mark.e2e

BuildMachine = Callable[..., Machine]


@pytest.fixture
def build(tmp_path: Path) -> Iterator[BuildMachine]:
    """Builds a machine whose payload starts behind a shell script."""
    started: list[Payloads] = []

    def machine(script: str = "") -> Machine:
        python = tmp_path / "python"
        python.write_text(f'#!/bin/sh\n{script or "true"}\nexec {PYTHON} "$@"\n')
        python.chmod(0o755)
        started.append(Payloads(tmp_path / "home", python=str(python)))
        root = tmp_path / "root"
        (root / "etc").mkdir(parents=True, exist_ok=True)
        (root / "etc/motd").write_text("hello\n")
        return Machine(root, started[-1])

    yield machine
    for payloads in started:
        payloads.close()


def in_namespace(mounts: str) -> str:
    """A script that goes on in a mount namespace of its own, once these mounts are made."""
    return f'[ "$NESTED" ] || NESTED=1 exec unshare -m /bin/sh "$0" "$@"\n{mounts}'


def only(answer: JSONObject) -> list[tuple[str, str]]:
    results = answer["results"]
    assert isinstance(results, list)
    return [(str(result["outcome"]), str(result["error"])) for result in results if isinstance(result, dict)]


def test_a_file_that_may_not_grow_so_large_is_refused_and_the_old_one_stays(build: BuildMachine) -> None:
    machine = build("ulimit -f 200")  # blocks of 512 bytes
    wishes = [
        wish("file", path="/etc/first", content=machine.text("first\n")),
        wish("file", path="/etc/motd", content=machine.text("x" * 300_000)),
        wish("file", path="/etc/last", content=machine.text("last\n")),
    ]

    answer = machine.apply(wishes, run="r1")

    (first, _), (second, why), (third, _) = only(answer)
    assert (first, second, third) == ("done", "failed", "skipped")
    assert "File too large" in why
    assert "ulimit -f" in why
    assert (machine.root / "etc/motd").read_text() == "hello\n"
    assert sorted(path.name for path in (machine.root / "etc").iterdir()) == ["first", "motd"]
    assert machine.owned() == {"file:/etc/first": True}


@pytest.mark.root
def test_a_full_disk_is_told_and_the_same_command_goes_on_once_there_is_space(build: BuildMachine, tmp_path: Path) -> None:
    root = tmp_path / "root"
    etc = root / "etc"
    disk = f"mount -t tmpfs -o size=400k none {root}; mkdir {etc}; echo hello > {etc}/motd; head -c 200000 /dev/zero > {etc}/filler"
    machine = build(in_namespace(f"echo $$ > {tmp_path}/pid; [ -e {root}/etc/filler ] || {{ {disk}; }}"))
    wishes = [
        wish("file", path="/etc/motd", content=machine.text("bye\n")),
        wish("file", path="/etc/large", content=machine.text("x" * 250_000)),
        wish("file", path="/etc/last", content=machine.text("last\n")),
    ]

    first = only(machine.apply(wishes, run="r1"))
    seen = Path(f"/proc/{(tmp_path / 'pid').read_text().strip()}/root{root}")
    after_first = sorted(path.name for path in (seen / "etc").iterdir())
    (seen / "etc/filler").unlink()
    second = only(machine.apply(wishes, run="r2"))

    assert [outcome for outcome, _ in first] == ["done", "failed", "skipped"]
    assert "No space left on device" in first[1][1]
    assert "free space" in first[1][1]
    assert after_first == ["filler", "motd"]
    assert [outcome for outcome, _ in second] == ["done", "done"]
    assert machine.changes(wishes) == []
    assert (seen / "etc/motd").read_text() == "bye\n"


@pytest.mark.root
def test_a_memory_on_a_full_disk_stops_the_run_before_anything_is_touched(build: BuildMachine, tmp_path: Path) -> None:
    memory = tmp_path / "root" / MEMORY
    memory.mkdir(parents=True)
    machine = build(in_namespace(f"mount -t tmpfs -o size=4k,mode=700 none {memory}; echo full > {memory}/filler"))

    with pytest.raises(TargetFailed, match="No space left on device"):
        machine.apply([wish("file", path="/etc/motd", content=machine.text("bye\n"))], run="r1")

    assert (machine.root / "etc/motd").read_text() == "hello\n"


def test_a_read_only_folder_is_told_with_what_to_do(build: BuildMachine, tmp_path: Path) -> None:
    etc = tmp_path / "root/etc"
    root = os.geteuid() == 0
    machine = build(in_namespace(f"mount --bind {etc} {etc}; mount -o remount,ro,bind {etc}") if root else "")
    etc.chmod(0o755 if root else 0o555)

    answer = machine.apply([wish("file", path="/etc/motd", content=machine.text("bye\n"))], run="r1")
    etc.chmod(0o755)

    ((outcome, why),) = only(answer)
    assert outcome == "failed"
    assert "/etc/motd cannot be written" in why
    assert ("Read-only file system" if root else "Permission denied") in why
    assert "hint:" in why
    assert machine.owned() == {}
    assert (etc / "motd").read_text() == "hello\n"


def test_a_link_that_leads_out_leads_nowhere(build: BuildMachine, tmp_path: Path) -> None:
    machine = build()
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "motd").write_text("not yours\n")
    (machine.root / "etc/away").symlink_to(outside)
    (machine.root / "etc/up").symlink_to("../" * 12 + str(outside).strip("/"))

    for name in ("away", "up"):
        ((outcome, why),) = only(machine.apply([wish("file", path=f"/etc/{name}/motd", content=machine.text("bye\n"))], run=name))
        assert outcome == "failed"
        assert f"/etc/{name}" in why

    assert [path.name for path in outside.iterdir()] == ["motd"]
    assert (outside / "motd").read_text() == "not yours\n"


@pytest.mark.root
def test_a_link_that_somebody_else_could_turn_is_not_followed(build: BuildMachine) -> None:
    machine = build()
    home = machine.root / "users"
    home.mkdir()
    (home / "config").symlink_to("../etc")
    os.chown(home, 4321, 4321)

    with pytest.raises(TargetFailed, match="/users/config is a link that is not followed"):
        machine.apply([wish("file", path="/users/config/motd", content=machine.text("bye\n"))], run="r1")

    assert (machine.root / "etc/motd").read_text() == "hello\n"


@pytest.mark.parametrize("place", ["var", "var/lib", MEMORY])
def test_a_memory_that_leads_out_of_the_folder_is_not_trusted(place: str, build: BuildMachine, tmp_path: Path) -> None:
    machine = build()
    outside = tmp_path / "outside"
    (outside / "lib/vitrify").mkdir(parents=True)
    link = machine.root / place
    link.parent.mkdir(parents=True, exist_ok=True)
    link.symlink_to(outside)

    with pytest.raises(Denied, match="not to be trusted"):
        machine.apply([wish("file", path="/etc/motd", content=machine.text("bye\n"))], run="r1")

    assert [str(path.relative_to(outside)) for path in sorted(outside.rglob("*"))] == ["lib", "lib/vitrify"]
    assert (machine.root / "etc/motd").read_text() == "hello\n"


def test_a_damaged_journal_is_told_and_nothing_is_guessed(build: BuildMachine) -> None:
    machine = build()
    wishes = [wish("file", path="/etc/motd", content=machine.text("bye\n"))]
    machine.apply(wishes, run="r1")
    journal = machine.root / MEMORY / "runs/r1/journal.ndjson"
    lines = journal.read_bytes().splitlines(keepends=True)
    journal.write_bytes(b"".join([lines[0], b"\x00garbage\n", *lines[2:]]))

    with pytest.raises(IntegrityFailed, match="is damaged"):
        machine.undo()

    assert (machine.root / "etc/motd").read_text() == "bye\n"


def test_a_lost_before_image_is_told_and_the_rest_is_put_back(build: BuildMachine) -> None:
    machine = build()
    (machine.root / "etc/issue").write_text("issue\n")
    contents = {name: machine.text(f"{name}!\n") for name in ("motd", "issue")}
    machine.apply([wish("file", path=f"/etc/{name}", content=content) for name, content in contents.items()], run="r1")
    for kept in (machine.root / MEMORY / "before").iterdir():
        if kept.read_text() == "hello\n":
            kept.write_text("tampered\n")

    outcomes = only(machine.undo())

    assert [outcome for outcome, _ in outcomes] == ["done", "failed"]
    assert "its content is not what its name says" in outcomes[1][1]
    assert (machine.root / "etc/issue").read_text() == "issue\n"
    assert (machine.root / "etc/motd").read_text() == "motd!\n"


def test_a_journal_of_a_newer_vitrify_is_refused(build: BuildMachine) -> None:
    machine = build()
    machine.apply([wish("file", path="/etc/motd", content=machine.text("bye\n"))], run="r1")
    journal = machine.root / MEMORY / "runs/r1/journal.ndjson"
    first, _, rest = journal.read_text().partition("\n")
    journal.write_text(json.dumps({**json.loads(first), "format": 2}) + "\n" + rest)

    with pytest.raises(TargetFailed, match="written by a newer vitrify"):
        machine.undo()


def test_only_one_process_changes_a_target(build: BuildMachine) -> None:
    import fcntl

    machine = build()
    wishes = [wish("file", path="/etc/motd", content=machine.text("bye\n"))]
    machine.apply(wishes, run="r1")
    (machine.root / "etc/motd").write_text("drifted\n")

    with (machine.root / MEMORY / "lock").open("r+") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with pytest.raises(Busy, match=r"process \d+, started by ada@laptop, since \d{4}-"):
            machine.apply(wishes, run="r2")

    assert (machine.root / "etc/motd").read_text() == "drifted\n"


def test_what_moved_after_the_plan_is_not_overwritten(build: BuildMachine) -> None:
    from vitrify.core.diagnostic import PlanStale

    machine = build()
    arguments = machine.planned([wish("file", path="/etc/motd", content=machine.text("bye\n"))], run="r1")
    (machine.root / "etc/motd").write_text("somebody was here\n")

    with pytest.raises(PlanStale, match="file:/etc/motd is not as it was seen"):
        machine.call("enact", arguments)

    assert (machine.root / "etc/motd").read_text() == "somebody was here\n"
    assert machine.observe([])["runs"] == []


def test_a_content_that_nobody_has_fails_that_change_alone(build: BuildMachine) -> None:
    machine = build()
    wishes = [
        wish("file", path="/etc/first", content=machine.text("first\n")),
        wish("file", path="/etc/motd", content=machine.text("gone")),
    ]
    arguments = machine.planned(wishes, run="r1")
    machine.contents.popitem()

    outcomes = only(machine.call("enact", arguments))

    assert [outcome for outcome, _ in outcomes] == ["done", "failed"]
    assert "nobody has the content" in outcomes[1][1]
    assert stat.S_ISREG((machine.root / "etc/first").lstat().st_mode)


def test_an_undo_refuses_what_somebody_changed_and_names_it(build: BuildMachine) -> None:
    machine = build()
    before = machine.tree(times=False)
    machine.apply([wish("directory", path="/srv"), wish("file", path="/etc/motd", content=machine.text("bye\n"))], run="r1")
    (machine.root / "etc/motd").write_text("somebody was here\n")
    (machine.root / "srv/theirs").write_text("theirs\n")

    with pytest.raises(Denied, match="/etc/motd was changed; /srv/theirs was added"):
        machine.undo()
    machine.undo(force=True)

    assert (machine.root / "etc/motd").read_text() == "hello\n"
    assert (machine.root / "srv/theirs").read_text() == "theirs\n", "what is foreign is never removed"
    (machine.root / "srv/theirs").unlink()
    (machine.root / "srv").rmdir()
    assert {name: entry for name, entry in machine.tree(times=False).items() if not MEMORY.startswith(name)} == before
