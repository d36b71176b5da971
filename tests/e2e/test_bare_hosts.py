"""Hosts without Python, on real machines over SSH: their own apt brings one, and then they are converged."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from debs import Archive, lacking
from fleet import Control, Fleet, Reached
from packaged import REPOSITORY, SOURCES

pytestmark = [pytest.mark.e2e, pytest.mark.root]

INFO = "/var/lib/dpkg/info"
SCRIPTS = ("preinst", "postinst", "prerm", "postrm", "conffiles")


def pythons(machine: Reached) -> list[str]:
    """The packages of Debian that make up its Python."""
    told = machine.machine.run("dpkg-query", "-W", "-f=${binary:Package}\\n").stdout.split()
    return [name for name in told if name.startswith(("python3", "libpython3"))]


def packed_again(machine: Reached, name: str, into: Path) -> None:
    """The package file that an installed package came from, as far as it can be told from what is there."""
    control = machine.machine.run("dpkg-query", "-s", name).stdout
    stem = name if machine.machine.path(f"{INFO}/{name}.list").exists() else name.partition(":")[0]
    tree = into / f".{stem}"
    (tree / "DEBIAN").mkdir(parents=True)
    kept = [line for line in control.splitlines() if not line.startswith(("Status:", "Conffiles:", " /etc/"))]
    (tree / "DEBIAN/control").write_text("\n".join(kept) + "\n")
    for script in SCRIPTS:
        place = machine.machine.path(f"{INFO}/{stem}.{script}")
        if place.exists():
            subprocess.run(["cp", "-p", str(place), str(tree / "DEBIAN" / script)], check=True)
    for path in machine.text(f"{INFO}/{stem}.list").splitlines()[1:]:
        there, here = machine.machine.path(path), tree / path[1:]
        if there.is_dir() and not there.is_symlink():
            here.mkdir(parents=True, exist_ok=True)
        elif there.is_symlink() or there.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            subprocess.run(["cp", "-a", str(there), str(here)], check=True)
    command = ["dpkg-deb", "-Znone", "--build", str(tree), str(into / f"{stem.replace(':', '_')}.deb")]
    subprocess.run(command, check=True, capture_output=True)
    subprocess.run(["rm", "-r", str(tree)], check=True)


def bare(machine: Reached, keys: Path) -> Archive:
    """Take Debian's Python from the machine; a repository that only the machine's apt can read has it."""
    archive = Archive.make(machine.machine.path(REPOSITORY), keys)
    names = pythons(machine)
    for name in names:
        packed_again(machine, name, archive.folder / "pool")
    archive.index()
    machine.machine.path("/srv/key.asc").write_text(archive.key())
    machine.machine.path("/etc/apt/sources.list").unlink()
    machine.machine.run("dpkg", "--purge", "--force-depends", *names)
    return archive


def test_a_host_without_python_gets_one_from_its_own_apt_and_is_converged(fleet: Fleet, control: Control, tmp_path: Path) -> None:
    if reason := lacking():
        pytest.skip(reason)
    machine = fleet.boot()
    bare(machine, tmp_path / "keys")
    control.declare(
        f"version: 1\nproject: shop\nssh: {{config: {fleet.config}}}\n"
        f"servers: {{web: {{lifecycle: mutable, hosts: ['{machine.url('admin')}'], resources: [{{directory: /srv/app}}]}}}}\n"
    )
    assert "`vitrify bootstrap` does that" in " ".join(control.run("plan", expect=4).stderr.split())
    listed = control.run("bootstrap", expect=64, VITRIFY_YES="")
    assert "install python3" in listed.stdout + listed.stderr
    assert not machine.machine.path("/usr/bin/python3").exists()

    failed = control.run("bootstrap", expect=3)
    assert "apt-get on " in failed.stdout
    assert "could not install Python" in failed.stdout
    machine.machine.path("/etc/apt/sources.list.d/shop.sources").write_text(SOURCES)
    (row,) = control.document("bootstrap")["hosts"]

    assert row["state"] == "installed"
    assert row["python"].startswith("3.")
    assert control.document("bootstrap", VITRIFY_YES="")["hosts"][0]["state"] == "ready"
    control.run("apply")
    assert machine.machine.path("/srv/app").is_dir()
    entries = control.document("ledger", "show")["entries"]
    told = [entry["kind"] for entry in entries if entry["kind"].startswith("bootstrap")]
    assert told == ["bootstrap.intended", "bootstrap.failed", "bootstrap.intended", "bootstrap.done"]
