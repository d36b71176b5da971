"""Programs of a folder and of an image run inside of it, really: bubblewrap over the folder, or over the layers."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from contained import lend
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Attributes, Command, System
from vitrify.onhost.root import folder_system, image_system
from vitrify.onhost.sidecar import Sidecar
from vitrify.project.binaries import find_bubblewrap
from vitrify.testing.system_suite import KEY, blob

pytestmark = pytest.mark.e2e


@pytest.fixture
def bwrap() -> str:
    found = find_bubblewrap()
    assert found
    return found


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A root with a shell, what that needs, and nothing else."""
    root = tmp_path / "tree"
    for program in ("/bin/sh", "/bin/cat", "/usr/bin/id"):
        lend(program, root)
    (root / "etc").mkdir()
    (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\nada:x:1234:1234::/:/bin/sh\n")
    return root


def folder(tree: Path, bwrap: str) -> System:
    return folder_system(str(tree), sidecar=None if os.geteuid() == 0 else Sidecar({}), bwrap=bwrap, blob=blob, key=KEY)


def sh(system: System, script: str, **more: str) -> str:
    ended = system.run(Command(("/bin/sh", "-c", script), **more))  # type: ignore[arg-type]
    assert ended.code == 0, ended.stderr
    return ended.stdout


def test_a_program_of_a_folder_sees_nothing_but_the_folder(tree: Path, bwrap: str, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("not yours")
    before = {path: path.lstat().st_mtime_ns for path in (tree, tree / "etc")}

    said = sh(folder(tree, bwrap), f"cat /etc/passwd; test ! -e {tmp_path}/outside && echo alone")

    assert said.startswith("root:x:0")
    assert said.endswith("alone\n")
    assert sorted(path.name for path in tree.iterdir()) == ["bin", "etc", *(["lib"] if (tree / "lib").exists() else []), "lib64", "usr"]
    assert {path: path.lstat().st_mtime_ns for path in before} == before


def test_what_a_program_of_a_folder_writes_stays(tree: Path, bwrap: str) -> None:
    sh(folder(tree, bwrap), "echo written > here", cwd="/etc")

    assert (tree / "etc/here").read_text() == "written\n"


def test_a_program_runs_as_its_user(tree: Path, bwrap: str) -> None:
    if os.geteuid() == 0:
        lend("/usr/bin/setpriv", tree)

    assert sh(folder(tree, bwrap), "id -u", user="ada") == "1234\n"


def test_a_program_that_is_not_inside_is_an_error(tree: Path, bwrap: str) -> None:
    with pytest.raises(TargetFailed, match="there is no program '/usr/bin/python3'"):
        folder(tree, bwrap).run(Command(("/usr/bin/python3", "-V")))


def test_without_bubblewrap_nothing_runs_and_the_error_says_why(tree: Path) -> None:
    with pytest.raises(TargetFailed, match="there is none here"):
        folder(tree, "").run(Command(("/bin/sh", "-c", "true")))


def test_a_program_that_does_not_end_is_ended(tree: Path, bwrap: str) -> None:
    with pytest.raises(TargetFailed, match="did not end within"):
        folder(tree, bwrap).run(Command(("/bin/sh", "-c", "while :; do :; done"), timeout=0.3))


def test_the_validate_command_of_a_file_runs_inside(tree: Path, bwrap: str) -> None:
    system = folder(tree, bwrap)
    check = ("/bin/sh", "-c", "test -s $0 || { echo empty >&2; exit 1; }", "%s")
    system.write("/etc/checked", b"something", attributes=Attributes(), validate=check)

    with pytest.raises(TargetFailed, match="empty"):
        system.write("/etc/checked", b"", attributes=Attributes(), validate=check)

    assert (tree / "etc/checked").read_bytes() == b"something"


def test_a_program_of_an_image_writes_to_the_upper_layer_alone(tree: Path, bwrap: str, tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    system = image_system(str(upper), [str(tree)], bwrap=bwrap, blob=blob, key=KEY)
    system.write("/etc/greeting", b"hello\n", attributes=Attributes())

    said = sh(system, "cat /etc/greeting; echo more > /etc/made; echo changed > /etc/passwd")

    assert said == "hello\n"
    assert system.read("/etc/made") == b"more\n"
    assert (tree / "etc/passwd").read_text().startswith("root:x:0")
    assert sorted(path.name for path in (upper / "etc").iterdir()) == ["greeting", "made", "passwd"]
    assert sorted(path.name for path in upper.parent.iterdir()) == ["tree", "upper"]


def test_a_program_of_an_image_upon_the_running_system_leaves_that_alone(bwrap: str, tmp_path: Path) -> None:
    upper = tmp_path / "upper"
    upper.mkdir()
    system = image_system(str(upper), ["/"], bwrap=bwrap, blob=blob, key=KEY)
    system.make_directory("/srv/vitrify-test", attributes=Attributes())

    sh(system, "echo made > /srv/vitrify-test/file; echo made > /etc/vitrify-test; test -d /proc/1")

    assert system.read("/srv/vitrify-test/file") == b"made\n"
    assert system.read("/etc/vitrify-test") == b"made\n"
    assert not Path("/etc/vitrify-test").exists()
    assert sorted(path.name for path in upper.iterdir()) == ["etc", "srv"]
