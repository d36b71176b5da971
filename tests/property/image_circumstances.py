"""One declaration of nearly every kind, baked in processes of their own under circumstances that must not matter."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from contained import lend
from declarations import FIXTURES, Declared, apart
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.resource import Address, Resource
from vitrify.onhost.unpack import unpack
from vitrify.project.binaries import BUBBLEWRAP, find

SOURCE = Path(__file__).parents[2] / "src"
NOBODY = 65534
BAKE = """
import asyncio, json, os, sys
given = json.loads(sys.stdin.read())
os.umask(int(given["umask"], 8))
if given["user"]:
    os.setgroups([])
    os.setresgid(given["user"], given["user"], given["user"])
    os.setresuid(given["user"], given["user"], given["user"])
from pathlib import Path
from vitrify.builders.oci import Means, OciBuilder
from vitrify.core.declaration import Content, Host
from vitrify.ports import BakeRequest
from vitrify.stores.layout import LayoutStore
from vitrify.transports.local import LocalTransport

async def bake():
    transport = LocalTransport(Path(given["folder"]), environ=os.environ, pythons=(given["payload"],))
    session = await transport.connect(Host("local"))
    try:
        contents = {digest: Content(data=bytes.fromhex(content)) for digest, content in given["contents"].items()}
        request = BakeRequest("web", "rootfs:" + given["base"], given["resources"], contents, {"project": "shop"})
        store = LayoutStore(Path(given["folder"]) / "store")
        builder = OciBuilder(session, store, means=Means(payload=transport.payload, bwrap=given["bwrap"]))
        print((await builder.bake(request)).digest)
    finally:
        await session.close()

asyncio.run(bake())
"""


@dataclass(frozen=True)
class Circumstances:
    """Who bakes, where, with what; `seed` decides in which order the files of the base are made."""

    folder: Path
    umask: str = "022"
    user: int = 0
    python: str = sys.executable
    payload: str = sys.executable
    seed: int = 0
    environment: Mapping[str, str] = field(default_factory=dict)


def everything() -> Declared:
    """Fixtures of all kinds that are baked without packages, but for those whose tree has a link: with one, all is one layer."""
    return apart([fixture for fixture in FIXTURES if not any("to" in entry for entry in fixture.before.values())])


def programs() -> list[Resource]:
    """What runs in the image: an account and its files, commands that see them, what a later file makes of that."""
    shell: JSON = ["/bin/sh", "-ec", "cat /etc/passwd > /srv/seen; mkdir /srv/made; echo a > /srv/made/a; chmod 2750 /srv/made"]
    entries: JSON = {"run": {"type": "file", "mode": "0755", "content": next(iter(everything().contents))}}
    return [
        Resource(Address("group", "readers"), {"name": "readers", "gid": 1600}),
        Resource(Address("user", "vera"), {"name": "vera", "uid": 1500, "group": "readers", "home": "/home/vera", "create_home": False}),
        Resource(Address("tree", "/srv/app"), {"to": "/srv/app", "entries": entries, "owner": "vera", "group": "readers"}),
        Resource(Address("command", "look"), {"name": "look", "run": shell, "always": True}),
        Resource(Address("link", "/srv/made/b"), {"path": "/srv/made/b", "to": "a"}),
    ]


def resources() -> list[JSONObject]:
    """All of them, in the order in which they act."""
    return [wish.to_json() for wish in (*programs(), *everything().wishes)]


def base(folder: Path) -> Path:
    """The tree that the fixtures start from, with a shell in it and the files that accounts are kept in."""
    for name in ("etc", "var/lib", "srv", "home"):
        (folder / name).mkdir(parents=True)
    everything().arrange(folder)
    for name, text in (("passwd", "root:x:0:0::/root:/bin/sh\n"), ("group", "root:x:0:\n"), ("shadow", "root:*:1::::::\n")):
        (folder / "etc" / name).write_text(text)
    for program in ("/bin/sh", "/bin/cat", "/bin/mkdir", "/bin/chmod"):
        lend(program, folder)
    for path in folder.rglob("*"):
        path.chmod(path.stat().st_mode | (0o700 if path.is_dir() else 0o400))  # or only root can bake upon it
    return folder


def copied(source: Path, to: Path, *, seed: int) -> None:
    """The same tree, made in another order."""
    chance = random.Random(seed)  # noqa: S311  not for secrets
    found = sorted(source.rglob("*"))
    chance.shuffle(found)
    to.mkdir()
    for path in found:
        place = to / path.relative_to(source)
        place.parent.mkdir(parents=True, exist_ok=True)
        if path.is_dir():
            place.mkdir(exist_ok=True)
        else:
            shutil.copyfile(path, place, follow_symlinks=False)
    for path in sorted(found, reverse=True):
        (to / path.relative_to(source)).chmod(path.stat().st_mode)
    to.chmod(0o755)


def baked(source: Path, given: Circumstances, wishes: list[JSONObject]) -> str:
    """Bake in a process of its own; the digest of the image."""
    given.folder.mkdir(mode=0o755)
    own = given.folder / "base"
    copied(source, own, seed=given.seed)
    if given.user:
        for path in (given.folder, own, *own.rglob("*")):
            os.chown(path, given.user, given.user, follow_symlinks=False)
    told = {
        "folder": str(given.folder),
        "base": str(own),
        "umask": given.umask,
        "user": given.user,
        "payload": given.payload,
        "bwrap": find(BUBBLEWRAP).path,
        "resources": wishes,
        "contents": {digest: content.hex() for digest, content in everything().contents.items()},
    }
    environment = {"PATH": os.environ["PATH"], **given.environment, "PYTHONPATH": str(SOURCE), "PYTHONDONTWRITEBYTECODE": "1"}
    command = [given.python, "-P", "-c", BAKE]
    ended = subprocess.run(command, input=json.dumps(told), check=False, capture_output=True, text=True, env=environment)
    assert ended.returncode == 0, ended.stderr
    return ended.stdout.strip()


def explained(one: tuple[Path, str], other: tuple[Path, str]) -> str:
    """What differs between two images, each a folder that was baked in and a digest: an independent comparer's words."""
    roots = [
        unpack(str(folder / "store" / "oci"), digest, str(folder / "unpacked"), sync=lambda _: None) for folder, digest in (one, other)
    ]
    configs = [json.dumps(root.config, sort_keys=True, indent=1) for root in roots]
    command = ["diffoscope", "--text", "-", "--exclude-directory-metadata=no", roots[0].root, roots[1].root]
    told = subprocess.run(command, check=False, capture_output=True, text=True)
    assert told.returncode in (0, 1), told.stderr
    return told.stdout + ("" if configs[0] == configs[1] else f"config: {configs[0]}\n{configs[1]}\n")
