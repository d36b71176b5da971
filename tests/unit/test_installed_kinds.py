"""Kinds that are installed beside vitrify: found without being imported, and refused where they could not run on a target."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.digest import digest_bytes
from vitrify.strangers import Installed, kinds_beside

KIND = (Path(__file__).parents[2] / "examples" / "kind" / "vitrify_logrotate.py").read_text(encoding="utf-8")


@dataclass
class Site:
    """A folder that packages are installed in."""

    folder: Path

    def install(self, package: str, points: str, **modules: str) -> None:
        info = self.folder / f"{package}-1.dist-info"
        info.mkdir(parents=True)
        (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {package}\nVersion: 1\n")
        (info / "entry_points.txt").write_text(f"[vitrify.kinds]\n{points}\n")
        for name, source in modules.items():
            path = self.folder.joinpath(*name.split("__in__")).with_suffix(".py")
            path.parent.mkdir(exist_ok=True)
            path.write_text(source)


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Site:
    monkeypatch.syspath_prepend(str(tmp_path))
    return Site(tmp_path)


def refused(name: str = "logrotate") -> str:
    with pytest.raises(UsageInvalid) as caught:
        kinds_beside(Installed())[name]
    return str(caught.value)


def test_an_installed_kind_is_one_like_ours(site: Site) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=KIND)

    kinds = kinds_beside(Installed())

    assert "logrotate" in kinds
    assert "logrotate" in kinds.names()
    assert kinds["logrotate"].identity({"name": "shop"}) == "shop"


def test_what_travels_is_the_source_as_it_is_installed(site: Site) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=KIND)

    (stranger,) = Installed().among(["file", "logrotate", "nobodys"])

    assert (stranger.name, stranger.cls, stranger.source.decode()) == ("logrotate", "Logrotate", KIND)
    assert stranger.reference.digest == digest_bytes(KIND.encode())


def test_no_line_of_its_package_runs_but_the_module_itself(site: Site) -> None:
    site.install("rotation", "logrotate = deep.kind:Logrotate", deep__in____init__="raise RuntimeError", deep__in__kind=KIND)

    assert kinds_beside(Installed())["logrotate"].name == "logrotate"


def test_our_own_kinds_are_had_without_looking_for_others(site: Site) -> None:
    site.install("rotation", "file = rotation:Logrotate", rotation=KIND)

    kinds = kinds_beside(Installed())

    assert kinds["file"].name == "file"
    assert "file" in kinds


def test_a_kind_that_nobody_has_is_told_with_those_that_are_there(site: Site) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=KIND)

    with pytest.raises(VitrifyError, match="there is no kind 'nobodys'") as caught:
        kinds_beside(Installed())["nobodys"]

    assert "logrotate" in str(caught.value)


def test_the_name_of_one_of_ours_is_taken(site: Site) -> None:
    site.install("rotation", "file = rotation:Logrotate", rotation=KIND)

    assert "rotation offers a kind `file`, which is the name of one of vitrify's own" in refused()


def test_two_packages_cannot_offer_the_same_kind(site: Site) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=KIND)
    site.install("turning", "logrotate = turning:Logrotate", turning=KIND)

    told = refused()

    assert "two packages offer a kind `logrotate`" in told
    assert "rotation" in told
    assert "turning" in told


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("import yaml", "it imports yaml"),
        ("from vitrify.core.plan import Plan", "it imports vitrify.core.plan"),
        ("from vitrify.core import report", "it imports vitrify.core.report"),
        ("from vitrify.resources.file import File", "it imports vitrify.resources.file"),
        ("from . import neighbour", "it imports ."),
        ("match 1:\n    case _: pass", "no Python that a target can read"),
        ("def wrong(:", "no Python that a target can read"),
    ],
)
def test_what_could_not_run_on_a_target_is_refused_here(site: Site, line: str, said: str) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=f"{KIND}\n{line}\n")

    assert said in refused()


@pytest.mark.parametrize("point", ["Logrotate = rotation:Logrotate", "log-rotate = rotation:Logrotate", "logrotate = rotation"])
def test_a_name_that_cannot_be_declared_is_refused(site: Site, point: str) -> None:
    site.install("rotation", point, rotation=KIND)

    assert "cannot be declared" in refused()


def test_a_module_that_is_not_there_is_named(site: Site) -> None:
    site.install("rotation", "logrotate = not_there_at_all:Logrotate")

    assert "rotation names the module not_there_at_all" in refused()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("x = 1", "no class Logrotate that is a `Kind`"),
        ("class Logrotate: pass", "no class Logrotate that is a `Kind`"),
        (KIND.replace('name = "logrotate"', 'name = "turning"'), "Logrotate.name is 'turning'"),
    ],
)
def test_a_class_that_is_no_such_kind_is_refused(site: Site, source: str, said: str) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=source)

    assert said in refused()


@pytest.mark.parametrize("source", ["raise RuntimeError('no')", KIND + "\nLogrotate.__init__ = lambda self: 1 / 0\n"])
def test_a_module_that_fails_is_told_without_a_traceback(site: Site, source: str) -> None:
    site.install("rotation", "logrotate = rotation:Logrotate", rotation=source)

    with pytest.raises(VitrifyError, match="the kind `logrotate` cannot be used"):
        kinds_beside(Installed())["logrotate"]
