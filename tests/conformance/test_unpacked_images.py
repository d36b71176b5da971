"""Unpacked images share what is equal, leave a host when nothing needs them, and are compared with their layers."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.unit.onhost.test_unpack import Members, image

from vitrify.core.digest import PLAIN, JSONObject, digest_bytes
from vitrify.core.event import silence
from vitrify.core.retention import Needs, Use
from vitrify.onhost.calls import find_call
from vitrify.onhost.context import Context
from vitrify.onhost.layout import blob_path
from vitrify.onhost.unpack import unpack
from vitrify.resources.registry import all_kinds
from vitrify.stores.collecting import Storage
from vitrify.stores.layout import LayoutStore

BASE: Members = [("etc/", b""), ("lib/", b""), *((f"lib/{number}", bytes([number]) * 1_200_000) for number in range(10))]
NOW = 2_000_000_000.0
"""Long after every file here was written."""


def release(number: int) -> Members:
    return [("srv/", b""), ("srv/app", f"release {number}".encode() * 1000)]


class Place:
    """A store and the folder beneath which its images are unpacked and run."""

    def __init__(self, folder: Path, home: Path | None = None) -> None:
        self.folder, self.home = folder, home or folder / "run"
        self.store = LayoutStore(folder / "store")
        self.uses: list[Use] = []
        self.storage = Storage(self.store, folder / "store", lambda: Needs(tuple(self.uses)))

    def image(self, number: int, state: str = "live") -> str:
        digest = image(self.store, BASE, release(number))
        self.uses.append(Use(digest, "web", number, state))
        return digest

    def unpacked(self, digest: str) -> Path:
        place = self.home / "images" / digest.removeprefix(PLAIN)
        return Path(unpack(self.store.layout, digest, str(place), sync=lambda _: None).root)

    def instance(self, digest: str) -> None:
        folder = self.home / "instances" / "web-1"
        folder.mkdir(parents=True)
        (folder / "spec.json").write_text(json.dumps({"image": digest}))

    def collect(self, *images: str, dry_run: bool = False) -> JSONObject:
        call = find_call("image.collect")
        assert call is not None
        context = Context(silence, lambda _: b"", lambda _: None, all_kinds(), lambda: NOW)
        return call(context, {"home": str(self.home), "images": [*images], "dry_run": dry_run})

    def bad(self, *, repair: bool = False) -> dict[str, tuple[str, tuple[str, ...], bool]]:
        found = self.storage.check(repair=repair, home=str(self.home), emit=silence)
        return {one.what: (one.why, one.uses, one.removed) for one in found.bad}


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def on_disk(folder: Path) -> int:
    """Bytes of a folder on the disk, each file once."""
    found = {(stat.st_dev, stat.st_ino): stat.st_blocks * 512 for stat in _stats(folder)}
    return sum(found.values())


def _stats(folder: Path) -> Iterator[os.stat_result]:
    for path in folder.rglob("*"):
        yield path.lstat()


def test_ten_releases_that_differ_by_one_file_take_hardly_more_than_one(place: Place) -> None:
    place.unpacked(place.image(1))
    store, roots = on_disk(place.folder / "store"), on_disk(place.home)

    for number in range(2, 11):
        place.unpacked(place.image(number))

    assert on_disk(place.home) <= 1.1 * roots
    assert on_disk(place.folder / "store") <= 1.1 * store


def test_only_what_is_equal_is_shared(place: Place) -> None:
    one, two = place.unpacked(place.image(1)), place.unpacked(place.image(2))

    assert (one / "lib/3").samefile(two / "lib/3")
    assert not (one / "srv/app").samefile(two / "srv/app")
    assert (two / "srv/app").read_bytes() == b"release 2" * 1000
    assert (two / "lib").stat().st_mtime == (one / "lib").stat().st_mtime


def test_what_somebody_altered_in_one_root_is_not_taken_into_the_next(place: Place) -> None:
    one = place.unpacked(place.image(1))
    (one / "lib/3").write_bytes(b"X" * 1_200_000)
    (one / "lib/4").chmod(0o600)

    two = place.unpacked(place.image(2))

    assert (two / "lib/3").read_bytes() == bytes([3]) * 1_200_000
    assert (two / "lib/4").stat().st_mode & 0o777 == 0o644


def test_a_root_goes_when_its_image_is_not_needed_and_takes_nothing_from_those_that_share_with_it(place: Place) -> None:
    one, two = place.image(1), place.image(2)
    gone, stays = place.unpacked(one), place.unpacked(two)

    told = place.collect(one, dry_run=True)
    assert gone.exists()

    assert place.collect(one) == told
    assert not gone.exists()
    assert (stays / "lib/3").read_bytes() == bytes([3]) * 1_200_000
    assert told["roots"] == [one]
    assert place.collect(one)["roots"] == []


def test_the_root_of_an_instance_stays_whatever_is_asked(place: Place) -> None:
    digest = place.image(1)
    root = place.unpacked(digest)
    place.instance(digest)

    assert place.collect(digest)["roots"] == []
    assert root.exists()


def test_a_removal_that_was_killed_is_ended_by_the_next(place: Place) -> None:
    digest = place.image(1)
    root = place.unpacked(digest)
    root.parent.rename(root.parent.with_name(f".{root.parent.name}.gone"))

    place.collect(digest)

    assert not any(path.suffix == ".gone" for path in (place.home / "images").iterdir())


def test_a_host_gives_up_images_with_the_layers_that_no_other_has(tmp_path: Path) -> None:
    place = Place(tmp_path / "run", home=tmp_path / "run")  # as a host has it: the store lies beneath its home
    one, two = place.image(1), place.image(2)

    gone = place.collect(one)

    assert gone["images"] == [one]
    assert not place.store.has(one)
    assert place.store.has(two)


def test_a_whole_store_holds(place: Place) -> None:
    place.unpacked(place.image(1))
    place.unpacked(place.image(2))

    assert place.bad() == {}


def test_each_bad_thing_is_named_with_what_uses_it(place: Place) -> None:
    one, two = place.image(1), place.image(2, "stopped")
    layer = next(row["digest"] for row in _layers(place, one)[1:])
    missing = next(row["digest"] for row in _layers(place, two)[1:])
    blob_path(place.store.layout, str(layer)).write_bytes(b"X")
    blob_path(place.store.layout, str(missing)).unlink()

    bad = place.bad()

    assert bad[str(layer)] == ("its sha256 differs", (f"{one}: web 1 (live)",), False)
    assert bad[str(missing)] == ("is missing", (f"{two}: web 2 (stopped)",), False)
    assert place.bad(repair=True).keys() == bad.keys()  # both are needed: nothing is removed
    assert blob_path(place.store.layout, str(layer)).exists()


def _layers(place: Place, digest: str) -> list[dict[str, object]]:
    layers: list[dict[str, object]] = json.loads(blob_path(place.store.layout, digest).read_bytes())["layers"]
    return layers


def test_a_repair_removes_what_can_be_made_again(place: Place) -> None:
    live, old = place.image(1), place.image(2, "discarded")
    root, used = place.unpacked(live), place.unpacked(old)
    place.instance(old)
    (root / "srv/app").write_bytes(b"altered")
    (used / "srv/more").write_bytes(b"added")
    stray = blob_path(place.store.layout, digest_bytes(b"stray"))
    stray.write_bytes(b"something else")

    found = place.bad(repair=True)

    assert found[str(root.parent)] == ("/srv/app has another content", (f"{live}: web 1 (live)",), True)
    assert found[str(used.parent)] == ("/srv/more was added", (f"{old}: web 2 (discarded)",), False)
    assert found[digest_bytes(b"stray")][2]
    assert not root.exists()
    assert used.exists()
    assert not stray.exists()
    assert place.bad().keys() == {str(used.parent)}


class Host(Place):
    """A machine to which images were sent: its store lies beneath its instances."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder, home=folder)

    def check(self) -> dict[str, tuple[str, list[str]]]:
        call = find_call("image.check")
        assert call is not None
        context = Context(silence, lambda _: b"", lambda _: None, all_kinds(), lambda: NOW)
        found = call(context, {"home": str(self.home)})["bad"]
        assert isinstance(found, list)
        return {str(row[0]): (str(row[1]), list(map(str, row[2]))) for row in found if isinstance(row, list) and isinstance(row[2], list)}


def test_what_a_host_keeps_is_read_there_and_nothing_is_touched(tmp_path: Path) -> None:
    host = Host(tmp_path)
    one, two = host.image(1), host.image(2)
    roots = [host.unpacked(digest) for digest in (one, two)]
    host.instance(two)
    assert host.check() == {}
    before = sorted(path.name for path in (tmp_path / "images").iterdir())

    (roots[1] / "srv/app").unlink()
    (roots[1] / "srv/app").write_bytes(b"altered")
    layer = str(_layers(host, one)[1]["digest"])
    blob_path(host.store.layout, layer).write_bytes(b"X")

    assert host.check() == {layer: ("its sha256 differs", []), str(roots[1].parent): ("/srv/app has another content", ["instance web-1"])}
    assert sorted(path.name for path in (tmp_path / "images").iterdir()) == before
