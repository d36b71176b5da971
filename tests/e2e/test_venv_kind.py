"""The kind `venv` with the real Python: offline, with wheels that are made here."""

from __future__ import annotations

import base64
import hashlib
import shutil
import subprocess
import tempfile
import zipfile
from pathlib import Path

import pytest

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.resource import Resource
from vitrify.testing.this_host import ThisHost

pytestmark = [pytest.mark.e2e, pytest.mark.skipif(not Path("/usr/bin/python3").exists(), reason="there is no /usr/bin/python3")]


def wheel(folder: Path, name: str, version: str) -> Path:
    """A wheel with one module that says its version."""
    path = folder / f"{name}-{version}-py3-none-any.whl"
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    rows = []
    with zipfile.ZipFile(path, "w") as archive:
        for inside, text in files.items():
            archive.writestr(inside, text)
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            rows.append(f"{inside},sha256={digest},{len(text)}")
        archive.writestr(f"{info}/RECORD", "\n".join([*rows, f"{info}/RECORD,,"]) + "\n")
    return path


@pytest.fixture
def host() -> ThisHost:
    return ThisHost()


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    folder = tmp_path / "wheels"
    folder.mkdir()
    for name, version in (("alpha", "1.0"), ("alpha", "2.0"), ("beta", "1.0")):
        wheel(folder, name, version)
    return folder


def wish(host: ThisHost, wheels: Path, *, absent: bool = False, **more: JSON) -> Resource:
    place: dict[str, JSON] = {"path": str(wheels.parent / "venv"), "find_links": str(wheels), "no_index": True}
    return host.wish("venv", absent=absent, secret=False, **place, **more)


def version(wheels: Path, name: str) -> str:
    command = [str(wheels.parent / "venv/bin/python"), "-c", f"import {name}; print({name}.VERSION)"]
    return subprocess.run(command, check=True, capture_output=True, text=True, timeout=60).stdout.strip()


def test_an_environment_is_made_and_taken_away(host: ThisHost, wheels: Path) -> None:
    change = host.converge(wish(host, wheels))
    assert change is not None
    assert (wheels.parent / "venv/bin/python").exists()
    host.take_back(change)
    assert not (wheels.parent / "venv").exists()

    host.converge(wish(host, wheels))
    host.converge(wish(host, wheels, absent=True))
    assert not (wheels.parent / "venv").exists()


def test_packages_are_installed_changed_and_put_back(host: ThisHost, wheels: Path) -> None:
    host.converge(wish(host, wheels, packages=["alpha<2", "beta ; python_version > '4'"], wheels_only=True))
    assert version(wheels, "alpha") == "1.0"

    change = host.converge(wish(host, wheels, packages=["alpha==2.0", "beta"]))
    assert change is not None
    assert change.because == ("2 not met: alpha, beta",)
    assert version(wheels, "alpha") == "2.0"

    (wheels.parent / "venv").joinpath("bin/pip").unlink()
    shutil.rmtree(next((wheels.parent / "venv").rglob("beta-1.0.dist-info")))
    host.converge(wish(host, wheels, packages=["alpha==2.0", "beta"]))
    assert version(wheels, "beta") == "1.0"


def test_a_requirements_file_is_met_with_its_hashes(host: ThisHost, wheels: Path) -> None:
    good = hashlib.sha256((wheels / "alpha-1.0-py3-none-any.whl").read_bytes()).hexdigest()
    path = wheels.parent / "requirements.txt"
    path.write_text(f"# ours\nalpha==1.0 \\\n    --hash=sha256:{good}  # pinned\n")
    host.converge(wish(host, wheels, requirements=str(path)))
    assert version(wheels, "alpha") == "1.0"

    path.write_text(f"alpha==2.0 --hash=sha256:{good}\n")
    with pytest.raises(TargetFailed, match="pip install ended with 1"):
        host.converge(wish(host, wheels, requirements=str(path)))
    assert version(wheels, "alpha") == "1.0"


def test_a_requirements_file_that_is_not_there_yet_is_told(host: ThisHost, wheels: Path) -> None:
    with pytest.raises(TargetFailed, match=r"requirements.txt does not exist"):
        host.converge(wish(host, wheels, requirements=str(wheels.parent / "requirements.txt")))


def test_one_that_does_not_start_any_more_is_made_anew(host: ThisHost, wheels: Path) -> None:
    host.converge(wish(host, wheels, packages=["alpha"]))
    for name in ("python", "python3"):
        (wheels.parent / "venv/bin" / name).unlink()
        (wheels.parent / "venv/bin" / name).symlink_to("/nowhere/python")

    change = host.converge(wish(host, wheels, packages=["alpha"]))

    assert change is not None
    assert change.because[-1] == "python broken -> as wished"
    assert version(wheels, "alpha") == "2.0"


def test_what_cannot_be_had_is_told(host: ThisHost, wheels: Path) -> None:
    with pytest.raises(TargetFailed, match="gamma"):
        host.converge(wish(host, wheels, packages=["gamma"]))


@pytest.mark.root
def test_it_belongs_to_its_user(host: ThisHost) -> None:
    with tempfile.TemporaryDirectory() as open_to_all:
        wheels = Path(open_to_all) / "wheels"
        wheels.mkdir()
        wheels.parent.chmod(0o755)
        wheel(wheels, "alpha", "1.0")

        host.converge(wish(host, wheels, packages=["alpha"], user="nobody"))

        assert {path.owner() for path in (wheels.parent / "venv").rglob("*") if not path.is_symlink()} == {"nobody"}


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"packages": ["--pre"]}, "'--pre' is not a requirement"),
        ({"packages": ["a\nb"]}, "'a\\nb' is not a requirement"),
        ({"no_index": True, "index_url": "https://index.example"}, "`index_url` has no meaning beside `no_index`"),
        ({"index_url": "https://ada:pw@index.example"}, "a password in the address would be in every plan"),
    ],
)
def test_an_environment_that_makes_no_sense_is_refused(host: ThisHost, fields: dict[str, JSON], summary: str) -> None:
    assert [problem.summary for problem in host.kinds["venv"].schema.problems({"path": "/v", **fields})] == [summary]
