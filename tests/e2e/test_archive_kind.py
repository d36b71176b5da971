"""The kind `archive` on this machine: unpacked, mended, replaced by a later one, taken back, taken away."""

from __future__ import annotations

import gzip
import hashlib
import io
import tarfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from serving import served
from vitrify.core.diagnostic import Denied, IntegrityFailed, TargetFailed
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Resource
from vitrify.testing.engine import Engine, outcomes, quick_folder
from vitrify.testing.this_host import ThisHost

pytestmark = pytest.mark.e2e


def packed(files: Mapping[str, str], *, links: Mapping[str, str] | None = None) -> bytes:
    """A tar.gz with these files, executable where the name says so, and links."""
    into = io.BytesIO()
    with tarfile.open(fileobj=into, mode="w") as archive:
        for name, text in files.items():
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(text.encode()), 0o777 if "run" in name else 0o664
            archive.addfile(entry, io.BytesIO(text.encode()))
        for name, to in (links or {}).items():
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, to
            archive.addfile(entry)
    return gzip.compress(into.getvalue(), mtime=0)


def checksum(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def tree(top: Path) -> dict[str, str]:
    return {
        str(path.relative_to(top)): f"-> {path.readlink()}" if path.is_symlink() else path.read_text()
        for path in sorted(top.rglob("*"))
        if (path.is_symlink() or path.is_file()) and not path.name.startswith(".vitrify")
    }


FIRST = packed({"app/run": "#!", "app/lib/a": "a1", "app/lib/b": "b1"}, links={"app/current": "lib"})
SECOND = packed({"app/run": "#!!", "app/lib/a": "a2", "app/new/c": "c2"})


@pytest.fixture
def host() -> ThisHost:
    return ThisHost()


def wish(host: ThisHost, top: Path, content: bytes, *, absent: bool = False, **more: JSON) -> Resource:
    return host.wish("archive", absent=absent, secret=False, path=str(top), content=host.content(content), strip_components=1, **more)


def test_an_archive_is_unpacked_and_noted(host: ThisHost, tmp_path: Path) -> None:
    top = tmp_path / "a" / "b"

    host.converge(wish(host, top, FIRST, parents=True))

    assert tree(top) == {"current": "-> lib", "lib/a": "a1", "lib/b": "b1", "run": "#!"}
    assert [oct((top / name).stat().st_mode & 0o7777) for name in ("run", "lib/a", "lib")] == ["0o755", "0o644", "0o755"]


def test_what_differs_is_put_back_and_what_is_foreign_stays(host: ThisHost, tmp_path: Path) -> None:
    top = tmp_path / "top"
    resource = wish(host, top, FIRST)
    host.converge(resource)
    (top / "lib/a").write_text("edited")
    (top / "run").chmod(0o777)
    (top / "current").unlink()
    (top / "lib/mine").write_text("mine")

    change = host.converge(resource)

    assert change is not None
    assert change.because == ("3 entries differ: current, lib/a, run",)
    assert tree(top) == {"current": "-> lib", "lib/a": "a1", "lib/b": "b1", "lib/mine": "mine", "run": "#!"}


def test_a_later_archive_takes_away_what_it_has_no_more(host: ThisHost, tmp_path: Path) -> None:
    top = tmp_path / "top"
    host.converge(wish(host, top, FIRST))
    (top / "lib/mine").write_text("mine")

    change = host.converge(wish(host, top, SECOND))

    assert change is not None
    assert change.because == ("another archive is there",)
    assert tree(top) == {"lib/a": "a2", "lib/mine": "mine", "new/c": "c2", "run": "#!!"}


def test_one_that_is_absent_takes_away_its_own_and_its_folder_where_nothing_else_is_in_it(host: ThisHost, tmp_path: Path) -> None:
    top = tmp_path / "top"
    host.converge(wish(host, top, FIRST))
    (top / "lib/mine").write_text("mine")
    host.converge(wish(host, top, FIRST, absent=True))
    assert tree(top) == {"lib/mine": "mine"}

    other = tmp_path / "other"
    host.converge(wish(host, other, FIRST))
    host.converge(wish(host, other, FIRST, absent=True))
    assert not other.exists()


def test_a_foreign_file_in_the_way_is_never_replaced(host: ThisHost, tmp_path: Path) -> None:
    top = tmp_path / "top"
    (top / "lib").mkdir(parents=True)
    (top / "lib/a").write_text("mine")

    with pytest.raises(TargetFailed, match="a file that is not ours is in the way"):
        host.converge(wish(host, top, FIRST))

    assert (top / "lib/a").read_text() == "mine"


def test_a_link_in_a_folders_place_is_not_written_through(host: ThisHost, tmp_path: Path) -> None:
    top, outside = tmp_path / "top", tmp_path / "outside"
    outside.mkdir()
    resource = wish(host, top, FIRST)
    host.converge(resource)
    (top / "lib/a").unlink()
    (top / "lib/b").unlink()
    (top / "lib").rmdir()
    (top / "lib").symlink_to(outside)

    host.converge(resource)

    assert not (top / "lib").is_symlink()
    assert list(outside.iterdir()) == []


def test_several_archives_share_a_folder_by_name(host: ThisHost, tmp_path: Path) -> None:
    top = tmp_path / "top"
    host.converge(wish(host, top, FIRST, name="one"))
    host.converge(wish(host, top, packed({"x/other": "o"}), name="two"))
    host.converge(wish(host, top, FIRST, absent=True, name="one"))

    assert tree(top) == {"other": "o"}


def test_one_from_a_server_and_one_on_the_target_are_what_their_checksums_say(host: ThisHost, tmp_path: Path) -> None:
    (tmp_path / "web").mkdir()
    (tmp_path / "web/app.tgz").write_bytes(FIRST)
    with served(tmp_path / "web") as address:
        host.converge(host.wish("archive", path=str(tmp_path / "one"), url=f"{address}/app.tgz", checksum=checksum(FIRST)))
    host.converge(host.wish("archive", path=str(tmp_path / "two"), file=str(tmp_path / "web/app.tgz"), checksum=checksum(FIRST)))
    assert (
        tree(tmp_path / "one")
        == tree(tmp_path / "two")
        == {
            "app/current": "-> lib",
            "app/lib/a": "a1",
            "app/lib/b": "b1",
            "app/run": "#!",
        }
    )

    with pytest.raises(IntegrityFailed):
        host.converge(host.wish("archive", path=str(tmp_path / "three"), file=str(tmp_path / "web/app.tgz"), checksum=checksum(SECOND)))
    assert not (tmp_path / "three").exists()


@pytest.mark.parametrize("hostile", [{"app/../../x": "evil"}, {"/x": "evil"}])
def test_nothing_of_a_hostile_archive_is_put_in_place(host: ThisHost, tmp_path: Path, hostile: dict[str, str]) -> None:
    top = tmp_path / "top"

    with pytest.raises(Denied):
        host.converge(wish(host, top, packed({"app/fine": "fine", **hostile})))

    assert list(tmp_path.iterdir()) == []


def test_an_undo_gives_back_the_archive_before_and_then_nothing() -> None:
    with quick_folder() as root:
        engine = Engine(root)

        def archive(content: bytes) -> Resource:
            digest = checksum(content)
            engine.contents[digest] = content
            fields: dict[str, JSON] = {"path": "/top", "content": digest, "strip_components": 1}
            return Resource(Address("archive", "/top"), fields)

        engine.apply(archive(FIRST), run="r1")
        (root / "top/lib/mine").write_text("mine")
        assert outcomes(engine.apply(archive(SECOND), run="r2")) == ["done"]
        assert tree(root / "top") == {"lib/a": "a2", "lib/mine": "mine", "new/c": "c2", "run": "#!!"}

        engine.call("undo", run="r2")
        assert tree(root / "top") == {"current": "-> lib", "lib/a": "a1", "lib/b": "b1", "lib/mine": "mine", "run": "#!"}
        assert engine.plan(archive(FIRST))["changes"] == []

        (root / "top/lib/mine").unlink()
        engine.call("undo", run="r1")
        assert not (root / "top").exists()
