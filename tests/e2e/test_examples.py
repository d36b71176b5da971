"""The projects in `examples/` do what they are there for: planned as `expected-plan.txt` says, applied, audited, and taken back."""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.request import urlopen

import pytest

from live_host import PROJECT, LiveHost
from packages_of_kinds import installed

pytestmark = pytest.mark.e2e

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


class Desk:
    """A copy of an example, and the command line in it."""

    def __init__(self, name: str, place: Path, *, path: Path | None = None) -> None:
        self.folder = place / "example"
        shutil.copytree(EXAMPLES / name, self.folder)
        more = {"PYTHONPATH": str(path)} if path else {}
        self._environ = {"VITRIFY_HOME": str(place / "home"), "VITRIFY_YES": "1", "NO_COLOR": "1", "COLUMNS": "120", **more}

    def run(self, *words: str, expect: int | None = 0) -> str:
        return self._ran([sys.executable, "-P", "-m", "vitrify", *words], expect=expect)

    def follow(self) -> None:
        """Carry out the commands of the README."""
        for line in (self.folder / "README.md").read_text().splitlines():
            if line.startswith("$ vitrify "):
                self.run(*shlex.split(line)[2:])
            elif line.startswith("$ "):
                self._ran(shlex.split(line)[1:], expect=0)

    def _ran(self, command: list[str], *, expect: int | None) -> str:
        # Programs of others find their own configuration around them; vitrify needs none.
        environ = {**(os.environ if command[0] != sys.executable else {}), "PATH": os.environ["PATH"], **self._environ}
        done = subprocess.run(command, cwd=self.folder, env=environ, check=False, capture_output=True, text=True)
        assert expect is None or done.returncode == expect, f"{command}: {done.returncode}\n{done.stdout}\n{done.stderr}"
        return done.stdout


@pytest.fixture
def as_expected(request: pytest.FixtureRequest) -> Callable[[str, str], bool]:
    """Whether a plan is the one beside the example; with `--snapshot-update` that one is written anew."""

    def compare(planned: str, example: str) -> bool:
        path = EXAMPLES / example / "expected-plan.txt"
        if request.config.getoption("update_snapshots", default=False):
            path.write_text(planned)
        assert planned == path.read_text()
        return True

    return compare


def test_a_kind_as_a_package_is_planned_applied_audited_and_taken_back(tmp_path: Path, as_expected: Callable[[str, str], bool]) -> None:
    desk = Desk("kind/project", tmp_path, path=installed(tmp_path))
    (desk.folder / "root").mkdir()

    assert as_expected(desk.run("plan"), "kind/project")
    desk.run("apply")

    assert "weekly" in (desk.folder / "root/etc/logrotate.d/shop").read_text()
    assert "No drift" in desk.run("audit")
    desk.run("undo", "web")
    assert not (desk.folder / "root/etc/logrotate.d").exists()


@pytest.fixture
def flip(tmp_path: Path) -> Iterator[Desk]:
    desk = Desk("flip", tmp_path)
    (desk.folder / "machine").mkdir()
    yield desk
    # Whichever life it had, nothing of it goes on after the test.
    declared = desk.folder / "vitrify.yaml"
    declared.write_text(declared.read_text().replace("lifecycle: mutable", "lifecycle: immutable"))
    desk.run("retire", "web", "--only", "instances", expect=None)


def test_a_server_for_both_lives_is_flipped_by_one_word_and_answers(flip: Desk, as_expected: Callable[[str, str], bool]) -> None:
    assert as_expected(flip.run("plan"), "flip")
    flip.run("apply")
    assert (flip.folder / "machine/srv/app/counter.py").exists()
    assert "No drift" in flip.run("audit")
    declared = flip.folder / "vitrify.yaml"

    declared.write_text(declared.read_text().replace("lifecycle: mutable", "lifecycle: immutable"))
    flip.run("apply")

    with urlopen("http://127.0.0.1:18476/") as answer:
        assert answer.read() == b"visitor 1\n"
    assert "No drift" in flip.run("audit")


def test_a_hardened_web_server_is_made_of_a_fresh_machine(live_host: LiveHost, as_expected: Callable[[str, str], bool]) -> None:
    example = EXAMPLES / "hardened"
    shutil.copytree(example, live_host.path(PROJECT), dirs_exist_ok=True)

    planned = live_host.vitrify("plan", NO_COLOR="1", COLUMNS="120").stdout

    assert as_expected(planned, "hardened")
    live_host.vitrify("apply")

    assert "Served by a user without rights" in live_host.run("/usr/bin/python3", "-c", _ASK).stdout
    assert live_host.unit("pages", "ActiveState", "User") == {"ActiveState": "active", "User": "pages"}
    assert live_host.unit("old-logs.timer", "ActiveState")["ActiveState"] == "active"
    assert "passwordauthentication no" in live_host.run("sshd", "-T").stdout
    assert "dport { 22, 8080 }" in live_host.run("nft", "list", "table", "inet", "guarded").stdout
    assert live_host.run("sudo", "-n", "-u", "ada", "sudo", "-n", "id", "-u").stdout.strip() == "0"
    assert "No drift" in live_host.vitrify("audit").stdout
    assert live_host.document("plan")["servers"][0]["changes"] == []


_ASK = "from urllib.request import urlopen; print(urlopen('http://127.0.0.1:8080/').read().decode())"


@pytest.fixture
def application(tmp_path: Path) -> Iterator[Callable[[str], Desk]]:
    """An example that serves, put into service by the commands of its README; afterwards nothing of it runs."""
    served: list[Desk] = []

    def follow(name: str) -> Desk:
        desk = Desk(name, tmp_path)
        served.append(desk)
        desk.follow()
        return desk

    yield follow
    for desk in served:
        desk.run("retire", "web", expect=None)


def test_a_bottle_application_is_baked_with_its_packages_and_finds_its_notes_in_the_next_release(
    application: Callable[[str], Desk],
) -> None:
    desk = application("bottle")
    code = desk.folder / "app/notes.py"
    code.write_text(code.read_text().replace('return "ok"', 'return "fine"'))

    desk.run("apply")

    assert told("http://127.0.0.1:18481/healthz") == "fine"
    assert told("http://127.0.0.1:18481/") == '["milk"]'
    assert "No drift" in desk.run("audit")


def test_an_express_application_is_baked_as_its_lock_says_and_served_by_two_instances(application: Callable[[str], Desk]) -> None:
    desk = application("express")

    answers = [json.loads(told("http://127.0.0.1:18482/prices/pear")) for _ in range(8)]

    assert {answer["price"] for answer in answers} == {4}
    assert len({answer["instance"] for answer in answers}) == 2
    assert "No drift" in desk.run("audit")


def test_the_nginx_of_debian_serves_from_an_image_and_the_machine_gets_none(application: Callable[[str], Desk]) -> None:
    before = Path("/usr/sbin/nginx").exists()

    desk = application("nginx")

    assert "Served by the nginx of Debian" in told("http://127.0.0.1:18483/")
    assert Path("/usr/sbin/nginx").exists() == before
    assert 'name: "nginx-light"' in (desk.folder / "vitrify.lock").read_text()
    assert "No drift" in desk.run("audit")


def told(url: str) -> str:
    with urlopen(url, timeout=5) as answer:  # noqa: S310  addresses of the examples
        return str(answer.read().decode())
