"""The packages of an image are those that its layers leave to be seen."""

from __future__ import annotations

import io
import tarfile
from pathlib import Path

from vitrify.evidence.inventory import Layer, Part, read_layer, together

STATUS = """\
Package: curl
Status: install ok installed
Architecture: amd64
Source: curl (7.88.1-10)
Version: 7.88.1-10+deb12u5

Package: gone
Status: deinstall ok config-files
Version: 1.0
"""
CURL = Part("deb", "curl", "7.88.1-10+deb12u5", "amd64", "curl", "debian")
FLASK = Part("pypi", "flask", "3.0.0")
SITE = "srv/venv/lib/python3.11/site-packages"


def layer(folder: Path, **files: str) -> Layer:
    """A layer with these files, whose names have `__` for a slash."""
    path = folder / "layer.tar"
    with tarfile.open(path, "w") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name.replace("__", "/"))
            member.size = len(content.encode())
            archive.addfile(member, io.BytesIO(content.encode()))
    return read_layer(path)


def test_packages_are_read_from_the_database_of_dpkg_and_the_metadata_of_python(tmp_path: Path) -> None:
    found = layer(
        tmp_path,
        **{
            "var/lib/dpkg/status": STATUS,
            f"{SITE}/Flask-3.0.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: Flask\nVersion: 3.0.0\n\nName: none\n",
            "etc/os-release": 'NAME="Debian"\nID=debian\n',
        },
    )
    assert together([found]) == (CURL, FLASK)


def test_a_module_that_a_debian_package_brought_is_listed_as_that_package(tmp_path: Path) -> None:
    found = layer(tmp_path, **{"usr/lib/python3/dist-packages/yaml-6.dist-info/METADATA": "Name: yaml\nVersion: 6\n"})
    assert together([found]) == ()


def test_a_higher_layer_replaces_and_hides_what_lower_ones_say(tmp_path: Path) -> None:
    low = layer(tmp_path, **{"var/lib/dpkg/status": STATUS, f"{SITE}/flask-3.dist-info/METADATA": "Name: flask\nVersion: 3.0.0\n"})
    newer = layer(tmp_path, **{"var/lib/dpkg/status": STATUS.replace("deb12u5", "deb12u9")})
    without = layer(tmp_path, **{f"{SITE}/.wh.flask-3.dist-info": ""})
    opaque = layer(tmp_path, **{"srv/venv/.wh..wh..opq": ""})

    assert [part.version for part in together([low, newer])] == ["7.88.1-10+deb12u9", "3.0.0"]
    assert [part.name for part in together([low, without])] == ["curl"]
    assert [part.name for part in together([low, opaque])] == ["curl"]


def test_an_opaque_folder_does_not_hide_its_own_layer(tmp_path: Path) -> None:
    found = layer(tmp_path, **{f"{SITE}/.wh..wh..opq": "", f"{SITE}/flask-3.dist-info/METADATA": "Name: flask\nVersion: 3.0.0\n"})
    assert together([Layer(), found]) == (FLASK,)


def test_what_is_remembered_of_a_layer_is_what_was_read(tmp_path: Path) -> None:
    found = layer(tmp_path, **{"var/lib/dpkg/status": STATUS, "usr/lib/os-release": "ID=debian\n", "a/.wh.b": ""})
    assert Layer.from_json(found.to_json()) == found
