"""What a program gets, on this host and inside a root: input, environment, umask, a script that is on no disk, a time limit."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import ATTACHED, Command, System
from vitrify.onhost.live import live_system
from vitrify.onhost.root import image_system
from vitrify.project.binaries import find_bubblewrap
from vitrify.testing.this_host import ThisHost

pytestmark = pytest.mark.e2e


def nothing(digest: str) -> bytes:
    raise KeyError(digest)


@pytest.fixture(params=["host", "image"])
def system(request: pytest.FixtureRequest, tmp_path: Path) -> System:
    if request.param == "host":
        return live_system(blob=nothing, key=b"")
    (tmp_path / "upper").mkdir()
    return image_system(str(tmp_path / "upper"), ["/"], bwrap=find_bubblewrap(), blob=nothing, key=b"")


def test_a_program_reads_what_it_is_given_and_nothing_else(system: System) -> None:
    assert system.run(Command(("/bin/cat",), stdin=b"one\ntwo")).stdout == "one\ntwo"
    assert system.run(Command(("/bin/cat",))).stdout == ""


def test_more_input_than_a_pipe_holds_that_nobody_reads_keeps_nobody_waiting(system: System) -> None:
    assert system.run(Command(("/bin/true",), stdin=bytes(1 << 20), timeout=20)).code == 0


def test_a_script_is_run_without_being_on_any_disk(system: System) -> None:
    content = b'read line\necho "$1 $line $0" >&2\nexit 3\n'

    ended = system.run(Command(("/bin/sh", ATTACHED, "with"), stdin=b"input\n", attached=content))

    assert ended.code == 3
    assert ended.stderr.startswith("with input /proc/self/fd/")


def test_the_umask_is_the_one_that_was_asked_for(system: System) -> None:
    assert system.run(Command(("/bin/sh", ATTACHED), umask="0077", attached=b"umask\n")).stdout.strip() == "0077"


@pytest.mark.root
def test_a_script_can_be_read_by_whoever_it_runs_as() -> None:
    ended = ThisHost().system.run(Command(("/bin/sh", ATTACHED), user="nobody", attached=b"id -un\n"))

    assert ended.stdout == "nobody\n", ended.stderr


def test_a_script_of_the_project_is_run_by_the_interpreter_it_names(tmp_path: Path) -> None:
    host = ThisHost()
    content = "#!/usr/bin/env -S python3 -I\nimport sys, os, pathlib\npathlib.Path(sys.argv[1]).write_text(os.environ['WHAT'])\n"
    made = tmp_path / "made"

    change = host.converge(
        host.wish("script", name="make", content=host.content(content), args=[str(made)], creates=str(made), env={"WHAT": "a b"})
    )

    assert change is not None
    assert made.read_text() == "a b"
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


def test_a_script_that_takes_too_long_is_stopped(tmp_path: Path) -> None:
    host = ThisHost()
    wish = host.wish("script", name="wait", content=host.content("exec sleep 30\n"), creates=str(tmp_path / "made"), timeout=1)

    with pytest.raises(TargetFailed, match="did not end within 1 seconds"):
        host.converge(wish)
