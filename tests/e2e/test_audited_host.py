"""A whole root is audited while a real dpkg works on it: what it did is told as that, and what somebody else did is not."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from debs import Deb, lacking

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.root,
    pytest.mark.skipif(bool(lacking() or not shutil.which("dpkg")), reason=lacking() or "this machine has no dpkg"),
]

OLD = Deb("tool", files={"/usr/bin/tool": "tool 1\n", "/etc/tool.conf": "a=1\n"})
NEW = Deb("tool", version="2.0", files={"/usr/bin/tool": "tool 2\n", "/usr/lib/tool/data": "data\n", "/etc/tool.conf": "a=2\n"})
OTHER = Deb("other", files={"/usr/bin/other": "other\n"})


def vitrify(project: Path, *arguments: str, expect: int = 0) -> Any:  # noqa: ANN401  a document
    ended = subprocess.run(
        [sys.executable, "-m", "vitrify", *arguments, "-o", "json"], cwd=project, capture_output=True, text=True, check=False
    )
    assert ended.returncode == expect, ended.stderr
    return json.loads(ended.stdout)


def dpkg(root: Path, *arguments: str) -> None:
    command = ["dpkg", f"--root={root}", "--force-not-root", "--force-bad-path", "--no-triggers", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def a_root(folder: Path) -> Path:
    for name in ("var/lib/dpkg/info", "var/lib/dpkg/updates", "var/log", "usr/bin", "usr/lib", "etc"):
        (folder / name).mkdir(parents=True)
    (folder / "var/lib/dpkg/status").touch()
    return folder


def test_packages_and_logs_are_told_as_such_and_an_intruder_as_one(tmp_path: Path) -> None:
    root, project = a_root(tmp_path / "root"), tmp_path / "project"
    project.mkdir()
    old, new, other = (deb.build(tmp_path) for deb in (OLD, NEW, OTHER))
    dpkg(root, "--install", str(old), str(other))
    server = {
        "lifecycle": "mutable",
        "hosts": [f"root:{root}"],
        "resources": [{"file": {"path": "/etc/motd", "content": "hello\n"}}],
        "audit": {"folders": ["/etc", "/usr", "/var"]},
    }
    (project / "vitrify.yaml").write_text(json.dumps({"version": 1, "project": "shop", "servers": {"web": server}}))
    vitrify(project, "apply", "-y")

    dpkg(root, "--install", str(new))
    dpkg(root, "--purge", "other")
    (root / "var/log/syslog").write_text("a line\n")
    quiet = vitrify(project, "audit", "--detailed-exitcode")
    (root / "usr/lib/tool/data").write_text("altered\n")
    (root / "etc/sudoers.d").mkdir()
    (root / "etc/sudoers.d/.x").write_text("nobody ALL=(ALL) NOPASSWD: ALL\n")
    loud = vitrify(project, "audit", "--detailed-exitcode", expect=2)
    vitrify(project, "audit", "accept", "package:tool", "package:other", "--reason", "patch day", "-y")
    after = vitrify(project, "audit", "--detailed-exitcode", expect=2)
    (told,) = vitrify(project, "audit", "explain", "/usr/bin/tool")["hosts"]

    packages = {finding["path"]: finding["details"][0] for finding in quiet["findings"] if finding["class"] == "package manager"}
    assert packages == {"package:tool": "1.0 -> 2.0", "package:other": "removed 1.0"}
    assert {finding["class"] for finding in quiet["findings"]} == {"package manager", "declared noise"}
    unauthorised = {one["path"]: one["severity"] for one in loud["findings"] if one["class"] == "unauthorised"}
    assert unauthorised == {"/etc/sudoers.d": "medium", "/etc/sudoers.d/.x": "critical", "/usr/lib/tool/data": "high"}
    assert {one["path"] for one in after["findings"] if one["class"] != "declared noise"} == set(unauthorised)
    assert told["package"] == "tool 2.0: as its checksum says"
    assert [entry["says"] for entry in told["entries"]][-1].startswith("accept.done: patch day by ")
