"""Programs of a live host, and a live host converged: the root is `/`, everything else is a folder of the test."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from converging import Machine, Payloads
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.core.system import Command, Completed
from vitrify.onhost.live import live_system
from vitrify.testing.engine import wish

pytestmark = pytest.mark.e2e


def run(*argv: str, cwd: str = "/", user: str = "", timeout: float = 20.0) -> Completed:
    return live_system(blob=lambda _: b"", key=b"").run(Command(argv, cwd=cwd, user=user, timeout=timeout, environment={"GIVEN": "yes"}))


def test_a_program_gets_its_arguments_as_they_are_and_nothing_of_our_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SECRET_OF_THE_CALLER", "1")

    ended = run("/bin/sh", "-c", 'printf "%s|" "$@"; env', "sh", "a b", "$HOME; reboot")

    assert ended.stdout.startswith("a b|$HOME; reboot|")
    assert "GIVEN=yes" in ended.stdout
    assert "SECRET_OF_THE_CALLER" not in ended.stdout


def test_how_a_program_ended_is_told() -> None:
    ended = run("sh", "-c", "echo out; echo err >&2; exit 3")

    assert (ended.code, ended.stdout, ended.stderr) == (3, "out\n", "err\n")


def test_of_much_output_the_end_is_kept() -> None:
    ended = run("sh", "-c", "i=0; while [ $i -lt 30000 ]; do echo line $i; i=$((i+1)); done")

    assert len(ended.stdout) <= 64 * 1024
    assert ended.stdout.endswith("line 29999\n")


def test_what_stays_behind_does_not_keep_us_waiting() -> None:
    started = time.monotonic()

    run("sh", "-c", "sleep 5 & echo started")

    assert time.monotonic() - started < 4


def test_a_program_that_does_not_end_is_ended_with_all_it_started(tmp_path: Path) -> None:
    with pytest.raises(TargetFailed, match=r"did not end within 0\.3 seconds"):
        run("sh", "-c", f"(sleep 1; touch {tmp_path}/late) & wait", timeout=0.3)

    time.sleep(1.2)
    assert not (tmp_path / "late").exists()


@pytest.mark.parametrize("name", ["no-such-program", "/no/such/program"])
def test_a_program_that_is_not_there_is_named(name: str) -> None:
    with pytest.raises(TargetFailed, match=f"there is no program '{name}'"):
        run(name)


def test_a_folder_that_is_not_there_is_named() -> None:
    with pytest.raises(TargetFailed, match="there is no folder /no/such/folder"):
        run("true", cwd="/no/such/folder")


@pytest.mark.root
def test_a_program_runs_as_its_user() -> None:
    assert run("id", "-un", user="nobody").stdout == "nobody\n"


class Host(Machine):
    """The machine itself; `root` is where its wishes and its memory lie."""

    def scope(self) -> JSONObject:
        return {**super().scope(), "target": "host", "root": "/"}


def test_a_live_host_is_converged_and_undone(tmp_path: Path) -> None:
    payloads = Payloads(tmp_path / "home")
    host = Host(tmp_path / "root", payloads)
    (host.root / "etc").mkdir(parents=True)
    (host.root / "var/lib").mkdir(parents=True)
    before = host.tree()
    wishes = [
        wish("file", path=str(host.root / "etc/motd"), content=host.text("hello\n"), mode="0640"),
        wish("command", name="made", run=["/usr/bin/touch", str(host.root / "etc/made")], creates=str(host.root / "etc/made")),
    ]

    host.apply(wishes, run="r1")
    assert host.changes(wishes) == []
    assert host.observe([])["facts"]
    skipped = host.undo()["skipped"]
    payloads.close()

    assert skipped == ["command:made"]
    (host.root / "etc/made").unlink()
    assert {name: entry[:3] for name, entry in host.tree().items()} == {name: entry[:3] for name, entry in before.items()}
