"""What differs from one making of a root to the next is taken out of it, and nothing else is."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.onhost.root import image_system
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.sameness import even

WRITTEN = {
    "etc/machine-id": "0123\n",
    "etc/passwd-": "root\n",
    "etc/shadow": "root:*:20000:0:99999:7:::\napp:!:20001::::::\n",
    "etc/ssh/ssh_host_rsa_key": "key\n",
    "etc/ssh/sshd_config": "Port 22\n",
    "run/lock": "1\n",
    "usr/lib/python3/x.py": "x = 1\n",
    "usr/lib/python3/__pycache__/x.cpython-311.pyc": "\0",
    "usr/share/doc/x/changelog": "x\n",
    "var/cache/ldconfig/aux-cache": "x\n",
    "var/lib/dpkg/status": "Package: x\n",
    "var/lib/dpkg/status-old": "",
    "var/log/apt/history.log": "x\n",
    "var/log/btmp": "",
}
LEFT = {"etc/machine-id", "etc/shadow", "etc/ssh/sshd_config", "usr/lib/python3/x.py", "usr/share/doc/x/changelog"}
LEFT |= {"var/lib/dpkg/status", "var/log/btmp"}


@pytest.fixture
def system(tmp_path: Path) -> Rooted:
    for path, content in WRITTEN.items():
        (tmp_path / "upper" / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / "upper" / path).write_text(content)
    (tmp_path / "lower/etc").mkdir(parents=True)
    (tmp_path / "lower/etc/passwd-").write_text("of the base\n")
    return image_system(str(tmp_path / "upper"), [str(tmp_path / "lower")], bwrap="", blob=lambda digest: digest.encode(), key=b"")


def files(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if not path.is_dir()}


def test_copies_caches_logs_keys_and_dates_are_taken_out(system: Rooted, tmp_path: Path) -> None:
    even(system, declared=lambda _: False)

    assert files(tmp_path / "upper") == LEFT
    assert system.read("/etc/machine-id") == b""
    assert system.read("/etc/shadow") == b"root:*::0:99999:7:::\napp:!:::::::\n"
    assert not (tmp_path / "upper/usr/lib/python3/__pycache__").exists()
    assert (tmp_path / "upper/var/log/apt").is_dir()


def test_what_the_base_has_in_such_a_place_shows_again(system: Rooted) -> None:
    even(system, declared=lambda _: False)

    assert system.read("/etc/passwd-") == b"of the base\n"


def test_what_a_resource_wrote_stays(system: Rooted, tmp_path: Path) -> None:
    even(system, declared=lambda path: path in ("/etc/machine-id", "/etc/ssh/ssh_host_rsa_key"))

    assert files(tmp_path / "upper") == LEFT | {"etc/ssh/ssh_host_rsa_key"}
    assert system.read("/etc/machine-id") == b"0123\n"


def test_a_link_out_of_the_root_is_not_followed(system: Rooted, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "status-old").write_text("not ours\n")
    (tmp_path / "upper/var/lib/dpkg/status-old").unlink()
    (tmp_path / "upper/var/lib/dpkg/status").unlink()
    (tmp_path / "upper/var/lib/dpkg").rmdir()
    (tmp_path / "upper/var/lib/dpkg").symlink_to(outside)

    even(system, declared=lambda _: False)

    assert (outside / "status-old").read_text() == "not ours\n"
