"""Where the packages of a base come from: this machine's own sources, led to the wanted suite, or a declared mirror."""

from __future__ import annotations

from pathlib import Path

import pytest

from vitrify.builders.offers import parsed
from vitrify.builders.sources import Source, sources_for
from vitrify.core.declaration import Mirror
from vitrify.core.diagnostic import DeclarationInvalid
from vitrify.ports import Offer

DEB822 = """\
Types: deb deb-src
# a note
URIs: http://archive.example/debian
Suites: bookworm bookworm-updates
Components: main contrib
Signed-By: /usr/share/keyrings/debian.gpg

Types: deb
URIs: http://gone.example/debian
Suites: bookworm
Components: main
Enabled: no
"""
LINES = """\
# deb http://comment.example/debian bookworm main
deb [arch=amd64 signed-by=/etc/apt/keyrings/a.gpg] http://security.example/debian-security bookworm-security main  # fast
deb-src http://archive.example/debian bookworm main
deb http://vendor.example/apt vendor-bookworm main
"""
MAIN = ("main", "contrib")


@pytest.fixture
def apt(tmp_path: Path) -> Path:
    (tmp_path / "sources.list.d").mkdir()
    (tmp_path / "sources.list").write_text(LINES)
    (tmp_path / "sources.list.d/debian.sources").write_text(DEB822)
    (tmp_path / "sources.list.d/debian.sources.bak").write_text(DEB822.replace("archive", "backup"))
    return tmp_path


def test_this_machines_own_sources_of_the_suite_are_taken_and_no_others(apt: Path) -> None:
    assert sources_for("bookworm", None, folder=apt, own="bookworm") == (
        Source("http://security.example/debian-security", "bookworm-security", ("main",), "/etc/apt/keyrings/a.gpg"),
        Source("http://archive.example/debian", "bookworm", MAIN, "/usr/share/keyrings/debian.gpg"),
        Source("http://archive.example/debian", "bookworm-updates", MAIN, "/usr/share/keyrings/debian.gpg"),
    )


def test_another_release_is_had_from_the_same_places_under_its_own_name(apt: Path) -> None:
    suites = [source.suite for source in sources_for("trixie", None, folder=apt, own="bookworm")]
    assert suites == ["trixie-security", "trixie", "trixie-updates"]


def test_a_mirror_takes_the_place_of_all_of_them(apt: Path) -> None:
    mirror = Mirror(("http://near.example/debian",), keyring="/project/key.gpg")
    (source,) = sources_for("trixie", mirror, folder=apt)
    assert str(source) == "deb [signed-by=/project/key.gpg] http://near.example/debian trixie main"


def test_a_machine_without_apt_sources_is_told_to_declare_a_mirror(tmp_path: Path) -> None:
    with pytest.raises(DeclarationInvalid, match="no apt sources that lead to bookworm"):
        sources_for("bookworm", None, folder=tmp_path, own="")


POLICY = """\
curl:
  Installed: (none)
  Candidate: 7.88.1-10+deb12u8
  Version table:
     7.88.1-10+deb12u8 500
        500 http://a.example/debian bookworm/main amd64 Packages
        500 http://a.example/debian-security bookworm-security/main amd64 Packages
     7.88.1-10 500
        500 http://a.example/debian bookworm/main amd64 Packages
virtual:
  Installed: (none)
  Candidate: (none)
  Version table:
tzdata:
  Installed: (none)
  Candidate: 2024a
  Version table:
     2024a 500
        500 http://a.example/debian bookworm/main amd64 Packages
"""


def test_what_is_offered_is_read_with_whether_it_is_for_security() -> None:
    assert tuple(parsed(POLICY)) == (Offer("curl", "7.88.1-10+deb12u8", security=True), Offer("tzdata", "2024a"))
