"""What was authorised is never a finding: neither our own applies, nor what a real dpkg installs, upgrades and removes."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from tests.amount import amount

import commandline
from debs import Deb, lacking

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.timeout(900),
    pytest.mark.skipif(bool(lacking() or not shutil.which("dpkg")), reason=lacking() or "this machine has no dpkg"),
]

N = amount("sweep", daily=22)
PACKAGES, APPLIES = max(1, N * 30 // 1_100), max(2, N * 100 // 1_100)
"""`./run prove sweep` takes 30 packages and 100 applies."""


class Quiet:
    """A folder as a host, whole and audited, and its project."""

    def __init__(self, folder: Path) -> None:
        self.root, self.project = folder / "root", folder / "project"
        for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "usr/bin", "usr/share", "etc"):
            (self.root / name).mkdir(parents=True)
        (self.root / "var/lib/dpkg/status").touch()
        self.project.mkdir()
        self._environment = {**os.environ, "VITRIFY_HOME": str(folder / "home"), "VITRIFY_YES": "1"}

    def apply(self, resources: Sequence[dict[str, Any]]) -> None:
        """Declare these resources, and apply them."""
        server = {
            "lifecycle": "mutable",
            "hosts": [f"root:{self.root}"],
            "resources": resources,
            "audit": {"folders": ["/etc", "/usr", "/var"]},
        }
        (self.project / "vitrify.yaml").write_text(json.dumps({"version": 1, "project": "quiet", "servers": {"web": server}}))
        self._run("apply")

    def findings(self, *words: str) -> list[dict[str, Any]]:
        """What an audit finds that nobody may."""
        found = json.loads(self._run("audit", "-o", "json", *words))
        return [finding for finding in found["findings"] if finding["class"] != "declared noise"]

    def _run(self, *words: str) -> str:
        done = commandline.run(words, cwd=self.project, environment=self._environment)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def dpkg(self, *arguments: str | Path) -> None:
        """A real one."""
        command = ["dpkg", f"--root={self.root}", "--force-not-root", "--force-bad-path", "--no-triggers", *arguments]
        subprocess.run(command, check=True, capture_output=True)


@pytest.fixture
def quiet(tmp_path: Path) -> Quiet:
    return Quiet(tmp_path)


def test_no_apply_of_ours_leaves_a_finding(quiet: Quiet, record_property: Callable[[str, object], None]) -> None:
    seed = random.getrandbits(32)
    chance = random.Random(seed)  # noqa: S311  a repeatable choice, no secret
    for turn in range(APPLIES):
        quiet.apply([wish(number, chance) for number in range(12) if chance.random() < 0.8])
        assert quiet.findings(*(["--full"] if turn % 10 == 9 else [])) == [], f"apply {turn}, seed {seed}"
    record_property("note", f"sweep: {APPLIES} applies, no finding after any; seed {seed}")


def wish(number: int, chance: random.Random) -> dict[str, Any]:
    """One of a dozen resources, otherwise from time to time."""
    mode, text = chance.choice(("0644", "0600", "0755")), "x" * chance.randrange(9)
    if number % 4 == 0:
        return {"directory": {"path": f"/etc/folder{number}", "mode": "0755" if mode == "0644" else "0700"}}
    if number % 4 == 1:
        return {"link": {"path": f"/etc/link{number}", "to": f"/etc/{text or 'nowhere'}"}}
    if number % 4 == 2:
        return {"line": {"path": f"/etc/lines{number}", "line": f"a={text}", "create": True}}
    return {"file": {"path": f"/usr/share/file{number}", "content": f"{text}\n", "mode": mode}}


def test_no_package_that_comes_is_upgraded_and_goes_leaves_more_than_its_own_finding(
    quiet: Quiet, tmp_path: Path, record_property: Callable[[str, object], None]
) -> None:
    quiet.dpkg("--install", Deb("base", files={"/usr/bin/base": "base\n", "/etc/base.conf": "a=1\n"}).build(tmp_path))
    quiet.apply([{"file": {"path": "/etc/motd", "content": "hello\n"}}])
    for number in range(PACKAGES):
        name = f"tool{number}"
        files = {f"/usr/bin/{name}": f"{number}\n" * number, f"/etc/{name}.conf": "a=1\n", f"/usr/share/{name}/old": "old\n"}
        newer = {**files, f"/usr/bin/{name}": "newer\n", f"/etc/{name}.conf": "a=2\n", f"/usr/share/{name}/new": "new\n"}
        old, new = Deb(name, files=files).build(tmp_path), Deb(name, version="2.0", files=newer).build(tmp_path)
        for what, command in (("installed", ("--install", old)), ("upgraded", ("--install", new)), ("removed", ("--purge", name))):
            quiet.dpkg(*command)
            told = {(finding["path"], finding["class"]) for finding in quiet.findings()}
            # Compared with what was there before it came: once it is gone again nothing differs.
            assert told == (set() if what == "removed" else {(f"package:{name}", "package manager")}), f"{name} {what}"
    record_property("note", f"sweep: {PACKAGES} packages installed, upgraded and removed, each explained and nothing else found")
