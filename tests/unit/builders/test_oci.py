from __future__ import annotations

import asyncio
import json
import os
from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import AllowedSecret, Content
from vitrify.core.diagnostic import Denied, TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.event import Event
from vitrify.core.resource import Address, Resource
from vitrify.onhost.layout import read_manifest
from vitrify.ports import BakeRequest, Image
from vitrify.stores.layout import LayoutStore
from vitrify.testing.memory_session import MemorySession

MOTD = b"managed by vitrify\n"


@dataclass(frozen=True)
class Workshop:
    """A store, a session and a builder."""

    folder: Path
    session: MemorySession
    store: LayoutStore
    builder: OciBuilder

    def bake(self, request: BakeRequest) -> Image:
        return asyncio.run(self.builder.bake(request))


def workshop(folder: Path, means: Means | None = None) -> Workshop:
    session, store = MemorySession(), LayoutStore(folder / "store")
    return Workshop(folder, session, store, OciBuilder(session, store, means=means or Means(machine="x86_64")))


def motd(content: bytes = MOTD, *, secret: bool = False) -> JSONObject:
    return Resource(Address("file", "/etc/motd"), {"path": "/etc/motd", "content": digest_bytes(content)}, secret=secret).to_json()


def wanted(*resources: JSONObject, base: str = "scratch", contents: tuple[bytes, ...] = (MOTD,)) -> BakeRequest:
    held = {digest_bytes(content): Content(data=content) for content in contents}
    return BakeRequest("web", base, resources, held, {"project": "shop", "server": "web"})


def rootfs(folder: Path) -> Path:
    root = folder / "rootfs"
    (root / "etc").mkdir(parents=True)
    (root / "etc" / "os-release").write_text("ID=test\n")
    for path in (root, root / "etc", root / "etc" / "os-release"):
        os.utime(path, (0, 0))
    return root


def test_a_bake_gives_an_image_that_the_store_holds(tmp_path: Path) -> None:
    shop = workshop(tmp_path)

    image = shop.bake(wanted(motd()))

    assert shop.store.has(image.digest)
    assert image.base == "scratch"
    assert image.config["Labels"] == {"dev.vitrify.base": "scratch", "dev.vitrify.project": "shop", "dev.vitrify.server": "web"}
    assert image.size == sum(path.stat().st_size for path in (tmp_path / "store" / "oci" / "blobs" / "sha256").iterdir())


def test_baking_the_same_again_asks_nothing_of_the_session(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    events: list[Event] = []

    first = shop.bake(wanted(motd()))
    again = asyncio.run(shop.builder.bake(wanted(motd()), emit=events.append))

    assert again == first
    assert shop.session.calls == ["bake"]
    assert [(event.what, event.data.get("cached")) for event in events] == [("bake.start", None), ("bake.done", True)]


def test_events_tell_the_layers_and_their_bytes(tmp_path: Path) -> None:
    events: list[Event] = []

    asyncio.run(workshop(tmp_path).builder.bake(wanted(motd()), emit=events.append))

    assert [event.what for event in events] == ["bake.start", "bake.layer", "bake.done"]
    assert events[1].data["bytes"] == 2560


def test_another_content_or_another_payload_is_another_bake_and_another_label_another_image_of_the_same_layers(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    shop.bake(wanted(motd()))

    shop.bake(wanted(motd(b"new\n"), contents=(b"new\n",)))
    shop.bake(replace(wanted(motd()), labels={"project": "other"}))
    other = OciBuilder(shop.session, shop.store, means=Means(payload="sha256:new", machine="x86_64"))
    asyncio.run(other.bake(wanted(motd())))

    assert len(shop.session.calls) == 3
    assert len(shop.store.images()) == 3


def test_an_image_that_lost_a_blob_is_baked_again(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    image = shop.bake(wanted(motd()))
    layer = read_manifest(shop.store.folder(image.digest), image.digest).layers[0]
    (tmp_path / "store" / "oci" / "blobs" / "sha256" / layer.digest[7:]).unlink()

    assert not shop.store.has(image.digest)
    assert shop.bake(wanted(motd())) == image
    assert shop.store.has(image.digest)


def test_nothing_is_left_of_the_work(tmp_path: Path) -> None:
    workshop(tmp_path).bake(wanted(motd()))

    assert list((tmp_path / "store" / "work").iterdir()) == []


def test_a_secret_file_is_refused_before_any_work(tmp_path: Path) -> None:
    shop = workshop(tmp_path)

    with pytest.raises(Denied, match="file:/etc/motd holds a secret"):
        shop.bake(wanted(motd(secret=True)))

    assert shop.session.calls == []


def test_a_key_among_the_files_is_refused_and_leaves_no_image(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    key = b"-----BEGIN OPENSSH PRIV" + b"ATE KEY-----\n" + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"

    with pytest.raises(Denied, match="/etc/motd would put a secret into the image: private key"):
        shop.bake(wanted(motd(key), contents=(key,)))

    assert shop.store.images() == ()
    assert list((tmp_path / "store" / "work").iterdir()) == []


def test_what_one_declaration_allows_is_still_refused_to_another_that_does_not(tmp_path: Path) -> None:
    shop = workshop(tmp_path)
    key = b"-----BEGIN OPENSSH PRIV" + b"ATE KEY-----\n" + b"b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABAAAAMwAAAAtzc2gtZW\n"
    wish = wanted(motd(key), contents=(key,))
    allowed = replace(wish, allowed_secrets=(AllowedSecret("/etc/motd", "private key", "a specimen"),))

    assert shop.store.has(shop.bake(allowed).digest)
    with pytest.raises(Denied, match="/etc/motd would put a secret into the image"):
        shop.bake(wish)


class Failing(MemorySession):
    """A payload in which a resource fails."""

    async def call(self, name: str, arguments: JSONObject, **_: object) -> JSONObject:
        failed: JSON = [{"address": "command:build", "outcome": "failed", "error": "exit 2"}]
        return {"results": failed, "attributes": {}}


def test_a_failed_resource_fails_the_bake_by_name(tmp_path: Path) -> None:
    store = LayoutStore(tmp_path / "store")

    with pytest.raises(TargetFailed, match=r"command:build could not be baked \(exit 2\)"):
        asyncio.run(OciBuilder(Failing(), store).bake(wanted(motd())))

    assert store.images() == ()


def test_two_bakes_at_once_give_one_image(tmp_path: Path) -> None:
    shop = workshop(tmp_path)

    async def both() -> list[Image]:
        return await asyncio.gather(*(shop.builder.bake(wanted(motd())) for _ in range(3)))

    images = asyncio.run(both())

    assert len({image.digest for image in images}) == 1
    assert shop.store.images() == (images[0].digest,)


def test_a_rootfs_is_the_first_layer_and_packed_once(tmp_path: Path) -> None:
    shop, base = workshop(tmp_path), f"rootfs:{Path(json.__file__).parent}"
    events: list[Event] = []

    first = asyncio.run(shop.builder.bake(wanted(motd(), base=base), emit=events.append))
    second = asyncio.run(shop.builder.bake(wanted(base=base), emit=events.append))

    layers = [read_manifest(shop.store.folder(image.digest), image.digest).layers for image in (first, second)]
    assert layers[0][0] == layers[1][0]
    assert [event.data["layer"] for event in events if event.what == "bake.layer"] == ["base", "files", "files"]
    assert first.base == "rootfs"


def test_a_rootfs_with_a_pipe_in_it_is_refused_by_name(tmp_path: Path) -> None:
    root = rootfs(tmp_path)
    os.mkfifo(root / "etc" / "initctl")

    with pytest.raises(TargetFailed, match="/etc/initctl is a pipe"):
        workshop(tmp_path).bake(wanted(motd(), base=f"rootfs:{root}"))


def test_a_change_in_the_rootfs_is_a_new_image(tmp_path: Path) -> None:
    shop, root = workshop(tmp_path), rootfs(tmp_path)
    first = shop.bake(wanted(motd(), base=f"rootfs:{root}"))

    (root / "etc" / "os-release").write_text("ID=next\n")

    assert shop.bake(wanted(motd(), base=f"rootfs:{root}")).digest != first.digest


def test_the_running_system_is_named_by_a_fingerprint_and_not_packed(tmp_path: Path) -> None:
    system = rootfs(tmp_path)
    shop = workshop(tmp_path, Means(system=str(system), machine="x86_64"))

    image = shop.bake(wanted(motd(), base="host"))

    labels = image.config["Labels"]
    assert isinstance(labels, dict)
    assert str(labels["dev.vitrify.base.fingerprint"]).startswith("sha256:")
    assert len(read_manifest(shop.store.folder(image.digest), image.digest).layers) == 1


def test_what_the_running_system_holds_where_we_write_counts(tmp_path: Path) -> None:
    system = rootfs(tmp_path)
    shop = workshop(tmp_path, Means(system=str(system)))
    shop.bake(wanted(motd(), base="host"))

    (system / "etc" / "hosts").write_text("elsewhere\n")
    shop.bake(wanted(motd(), base="host"))
    (system / "etc" / "motd").write_text("somebody's\n")
    shop.bake(wanted(motd(), base="host"))

    assert len(shop.session.calls) == 2


@pytest.mark.parametrize("base", ["debian", "rootfs:/nowhere", "scratch:x", ""])
def test_a_base_that_is_none_is_refused(tmp_path: Path, base: str) -> None:
    with pytest.raises(UsageInvalid, match="base"):
        workshop(tmp_path).bake(wanted(motd(), base=base))
