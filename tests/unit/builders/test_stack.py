from __future__ import annotations

import asyncio
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Emit, Event, silence
from vitrify.core.resource import Address, Resource
from vitrify.onhost.layout import read_manifest
from vitrify.ports import BakeRequest
from vitrify.stores.layout import LayoutStore
from vitrify.testing.memory_session import MemorySession

CODE, TEXT, OTHER = b"print()\n", b"text\n", b"another text\n"


def there(folder: JSON) -> bool:
    return Path(str(folder)).is_dir()


@dataclass
class Counting(MemorySession):
    """Remembers what each bake was asked to make, and on how many folders."""

    made: list[list[str]] = field(default_factory=list)
    lowers: list[int] = field(default_factory=list)

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        scope, resources = arguments["scope"], arguments["resources"]
        assert isinstance(scope, dict)
        assert isinstance(resources, list)
        lower = scope["lower"]
        assert isinstance(lower, list)
        assert all(there(folder) for folder in lower)
        self.made.append([str(one["address"]) for one in resources if isinstance(one, dict)])
        self.lowers.append(len(lower))
        return await super().call(name, arguments, contents=contents, emit=emit)


@dataclass
class Shop:
    """A builder whose session tells what it was asked for."""

    folder: Path
    session: Counting = field(default_factory=Counting)
    events: list[Event] = field(default_factory=list)

    @property
    def store(self) -> LayoutStore:
        return LayoutStore(self.folder)

    def bake(self, *resources: JSONObject, project: str = "shop", base: str = "scratch") -> str:
        self.session.made.clear()
        self.session.lowers.clear()
        self.events.clear()
        held = {digest_bytes(content): Content(data=content) for content in (CODE, TEXT, OTHER)}
        request = BakeRequest("web", base, resources, held, {"project": project})
        builder = OciBuilder(self.session, self.store, means=Means(machine="x86_64"))
        return asyncio.run(builder.bake(request, emit=self.events.append)).digest

    def told(self) -> list[object]:
        return [event.detail for event in self.events if event.what == "bake.layer"]

    def layers(self, image: str) -> list[str]:
        return [layer.digest for layer in read_manifest(self.store.layout, image).layers]


def file(path: str, content: bytes, **more: JSON) -> JSONObject:
    return Resource(Address("file", path), {"path": path, "content": digest_bytes(content), **more}).to_json()


def app(content: bytes = CODE, **more: JSON) -> JSONObject:
    entries: JSON = {"main.py": {"type": "file", "mode": "0600", "content": digest_bytes(content), **more}}
    return Resource(Address("tree", "/srv/app"), {"to": "/srv/app", "entries": entries}).to_json()


def test_a_changed_template_remakes_its_own_layer_and_no_other(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    before = shop.layers(shop.bake(app(), file("/etc/motd", TEXT)))
    assert shop.session.made == [["tree:/srv/app"], ["file:/etc/motd"]]

    after = shop.layers(shop.bake(app(), file("/etc/motd", OTHER)))

    assert shop.session.made == [["file:/etc/motd"]]
    assert shop.session.lowers == [1]
    assert (after[0] == before[0], after[1] == before[1]) == (True, False)
    assert shop.told() == ["trees: known", "files: baked, file:/etc/motd changed"]


def test_nothing_new_asks_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    image = shop.bake(app(), file("/etc/motd", TEXT))

    assert shop.bake(app(), file("/etc/motd", TEXT)) == image
    assert (shop.session.made, shop.told()) == ([], [])


def test_going_back_to_what_was_baked_before_asks_nothing(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    first = shop.bake(file("/etc/motd", TEXT))
    shop.bake(file("/etc/motd", OTHER))

    assert shop.bake(file("/etc/motd", TEXT)) == first
    assert shop.session.made == []


def test_what_changes_beneath_remakes_what_stands_on_it_and_says_why(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bake(app(), file("/etc/motd", TEXT))

    shop.bake(app(OTHER), file("/etc/motd", TEXT))

    assert shop.session.made == [["tree:/srv/app"], ["file:/etc/motd"]]
    assert shop.told() == ["trees: baked, tree:/srv/app changed", "files: baked, a layer beneath it changed"]


def test_a_layer_that_came_out_as_before_remakes_nothing_above_it(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    shop.bake(app(), file("/etc/motd", TEXT))

    shop.bake({**app(), "tags": ["code"]}, file("/etc/motd", TEXT))

    assert shop.session.made == [["tree:/srv/app"]]


def test_projects_share_layers_and_not_images(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    first = shop.bake(app(), file("/etc/motd", TEXT))

    second = shop.bake(app(), file("/etc/motd", TEXT), project="another")

    assert shop.session.made == []
    assert (first != second, shop.layers(first) == shop.layers(second)) == (True, True)


def test_an_unpacked_layer_is_thrown_away_without_harm(tmp_path: Path) -> None:
    shop, other = Shop(tmp_path / "one"), Shop(tmp_path / "other")
    shop.bake(app(mode="0000"), file("/etc/motd", TEXT), file("/srv/app/x", TEXT))
    shutil.rmtree(tmp_path / "one" / "roots")

    image = shop.bake(app(mode="0000"), file("/etc/motd", OTHER), file("/srv/app/x", TEXT))

    assert shop.session.lowers == [1]
    assert other.bake(app(mode="0000"), file("/etc/motd", OTHER), file("/srv/app/x", TEXT)) == image


def test_a_note_whose_layer_is_gone_is_not_believed(tmp_path: Path) -> None:
    shop = Shop(tmp_path)
    image = shop.bake(app(), file("/etc/motd", TEXT))
    (tmp_path / "oci" / "blobs" / "sha256" / shop.layers(image)[0].removeprefix("sha256:")).unlink()

    assert shop.bake(app(), file("/etc/motd", TEXT)) == image
    assert shop.told() == ["trees: baked, it is not here any more", "files: known"]


def test_two_bakes_at_once_make_a_shared_layer_once(tmp_path: Path) -> None:
    shop, held = Shop(tmp_path), {digest_bytes(content): Content(data=content) for content in (CODE, TEXT, OTHER)}
    requests = [BakeRequest("web", "scratch", [app(), file("/etc/motd", text)], held, {}) for text in (TEXT, OTHER)]

    async def both() -> None:
        await asyncio.gather(*(OciBuilder(shop.session, shop.store).bake(request) for request in requests))

    asyncio.run(both())

    assert sorted(shop.session.made) == [["file:/etc/motd"], ["file:/etc/motd"], ["tree:/srv/app"]]


def test_through_a_link_in_the_base_everything_is_one_layer_in_the_written_order(tmp_path: Path) -> None:
    root = tmp_path / "base"
    (root / "srv").mkdir(parents=True)
    os.symlink("/srv/app", root / "opt")  # noqa: PTH211  as in a root, not here
    shop = Shop(tmp_path / "store")

    shop.bake(file("/opt/x", TEXT), app(), base=f"rootfs:{root}")

    assert shop.session.made == [["file:/opt/x", "tree:/srv/app"]]
