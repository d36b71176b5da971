"""Bakes through the real payload, on every kind of base."""

from __future__ import annotations

import asyncio
import os
import shutil
import stat
import tarfile
from pathlib import Path

import pytest

from vitrify.builders import stack
from vitrify.builders.cut import whole
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content, Host
from vitrify.core.digest import JSON, JSONObject, digest_bytes
from vitrify.core.resource import Address, Resource
from vitrify.onhost.layout import blob_path, read_manifest
from vitrify.onhost.unpack import unpack
from vitrify.ports import BakeRequest
from vitrify.project.binaries import BUBBLEWRAP, find
from vitrify.stores.layout import LayoutStore
from vitrify.transports.local import LocalTransport

pytestmark = pytest.mark.e2e

Members = dict[str, tuple[str, int, int]]
CODE = b"print('hello')\n"


def wish(kind: str, of: str, *, absent: bool = False, **fields: JSON) -> JSONObject:
    return Resource(Address(kind, of), fields, absent=absent).to_json()


def request(base: str, *resources: JSONObject, contents: tuple[bytes, ...] = (CODE,)) -> BakeRequest:
    return BakeRequest("web", base, resources, {digest_bytes(content): Content(data=content) for content in contents}, {"project": "shop"})


async def baked(folder: Path, wanted: BakeRequest) -> tuple[str, Members]:
    """The image's digest, and what its layers hold that are not its base's."""
    store = LayoutStore(folder / "store")
    transport = LocalTransport(folder, environ=os.environ)
    session = await transport.connect(Host("local"))
    try:
        means = Means(payload=transport.payload, bwrap=find(BUBBLEWRAP).path)
        image = await OciBuilder(session, store, means=means).bake(wanted)
    finally:
        await session.close()
    layout, found = store.folder(image.digest), Members()
    for layer in read_manifest(layout, image.digest).layers[1 if wanted.base.startswith("rootfs:") else 0 :]:
        with tarfile.open(blob_path(layout, layer.digest)) as archive:
            found.update({member.name: (f"{member.mode:04o}", member.uid, member.size) for member in archive})
    return image.digest, found


def app() -> list[JSONObject]:
    entries: JSONObject = {"main.py": {"type": "file", "mode": "0644", "content": digest_bytes(CODE)}}
    return [
        wish("directory", "/srv", path="/srv"),
        wish("tree", "/srv/app", to="/srv/app", entries=entries),
        wish("file", "/srv/key", path="/srv/key", content=digest_bytes(CODE), mode="0400"),
    ]


def test_two_folders_two_umasks_one_digest(tmp_path: Path) -> None:
    first = asyncio.run(baked(tmp_path / "one", request("scratch", *app())))
    umask = os.umask(0o077)
    try:
        second = asyncio.run(baked(tmp_path / "elsewhere" / "other", request("scratch", *app())))
    finally:
        os.umask(umask)

    assert first == second
    assert first[1] == {
        "srv": ("0755", 0, 0),
        "srv/app": ("0755", 0, 0),
        "srv/app/main.py": ("0644", 0, len(CODE)),
        "srv/key": ("0400", 0, len(CODE)),
    }


def test_what_is_removed_of_a_rootfs_leaves_its_mark(tmp_path: Path) -> None:
    (tmp_path / "rootfs" / "etc").mkdir(parents=True)
    (tmp_path / "rootfs" / "etc" / "motd").write_text("from the base\n")

    _, layer = asyncio.run(baked(tmp_path, request(f"rootfs:{tmp_path}/rootfs", wish("file", "/etc/motd", path="/etc/motd", absent=True))))

    assert set(layer) == {"etc", "etc/.wh.motd"}
    assert (tmp_path / "rootfs" / "etc" / "motd").exists()


def test_on_the_running_system_what_is_as_wished_already_is_in_the_image_all_the_same(tmp_path: Path) -> None:
    release = Path("/etc/os-release").resolve()
    content = release.read_bytes()
    held = wish("file", str(release), path=str(release), content=digest_bytes(content))

    _, layer = asyncio.run(baked(tmp_path, request("host", held, wish("directory", "/var/tmp", path="/var/tmp"), contents=(content,))))

    assert layer[str(release).lstrip("/")] == ("0644", 0, len(content))
    assert layer["var/tmp"][0] == "1777"


def test_a_command_runs_over_the_base_and_writes_into_the_image_alone(tmp_path: Path) -> None:
    run: JSON = ["/bin/sh", "-c", "echo made > /opt/vitrify-made"]

    _, layer = asyncio.run(baked(tmp_path, request("host", wish("command", "make", name="make", run=run, always=True))))

    assert layer["opt/vitrify-made"] == ("0644", 0, len("made\n"))
    assert not Path("/opt/vitrify-made").exists()


def shell(name: str, line: str) -> JSONObject:
    run: JSON = ["/bin/sh", "-ec", line]
    return wish("command", name, name=name, run=run, always=True)


def layered() -> list[JSONObject]:
    """Commands between files and trees: each sees what was written before it, in whatever layer that is."""
    names: JSONObject = {name: {"type": "file", "mode": "0640", "content": digest_bytes(CODE)} for name in ("one", "two", "gone/three")}
    entries: JSONObject = {**names, "gone": {"type": "directory", "mode": "0700"}}
    return [
        wish("directory", "/opt/vitrify", path="/opt/vitrify"),
        wish("tree", "/opt/vitrify/tree", to="/opt/vitrify/tree", entries=entries, owner="daemon"),
        shell("change", "cd /opt/vitrify/tree; cat one two > both; rm -r gone; mkdir gone; echo new > gone/new; rm two; chmod 4755 one"),
        wish("file", "/opt/vitrify/tree/two", path="/opt/vitrify/tree/two", content=digest_bytes(CODE)),
        wish("file", "/opt/vitrify/last", path="/opt/vitrify/last", content=digest_bytes(CODE)),
    ]


def unpacked(folder: Path, wanted: BakeRequest) -> dict[str, tuple[str, str]]:
    """What an image has in `/opt/vitrify`, with the table of what it could not have on disk."""
    digest, _ = asyncio.run(baked(folder, wanted))
    done = unpack(str(folder / "store" / "oci"), digest, str(folder / "image"))
    table = Path(done.folder, "attributes.json")
    found = {"": (table.read_text() if table.exists() else "", "")}
    for path in Path(done.root, "opt", "vitrify").rglob("*"):
        status = path.lstat()
        looks = f"{stat.filemode(status.st_mode)} {status.st_uid} {status.st_rdev}"
        found[str(path.relative_to(done.root))] = (looks, path.read_text() if path.is_file() else "")
    return found


def test_commands_see_the_layers_beneath_and_what_they_remove_of_them_is_gone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    in_layers = unpacked(tmp_path / "layers", request("host", *layered()))
    shutil.rmtree(tmp_path / "layers" / "store" / "roots")
    more = [*layered(), shell("look", "cd /opt/vitrify/tree; ls -ln one gone > /opt/vitrify/seen; test ! -e gone/three")]
    asyncio.run(baked(tmp_path / "layers", request("host", *more)))
    monkeypatch.setattr(stack, "cut", whole)
    in_one = unpacked(tmp_path / "one", request("host", *layered()))

    assert in_layers == in_one
    assert in_layers["opt/vitrify/tree/both"][1] == 2 * CODE.decode()
    assert "opt/vitrify/tree/gone/three" not in in_layers
