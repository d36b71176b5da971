"""Packs what runs on a target into one program: the same bytes on every machine, named by their digest."""

from __future__ import annotations

import hashlib
import io
import os
import re
import shutil
import tempfile
import zipfile
from collections.abc import Collection
from dataclasses import dataclass
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

CORE = (
    "__init__",
    "apt",
    "archived",
    "below",
    "boot",
    "debian",
    "diagnostic",
    "difference",
    "digest",
    "dnf",
    "dnfforesight",
    "dpkg",
    "dropin",
    "due",
    "enrol",
    "event",
    "foreseeing",
    "foresight",
    "growth",
    "home",
    "insertion",
    "install",
    "jsontext",
    "kept",
    "keyed",
    "lent",
    "locked",
    "openssh",
    "packaging",
    "part",
    "passwd",
    "pinned",
    "place",
    "postgres",
    "programs",
    "recipe",
    "redhat",
    "registrar",
    "resource",
    "rpmdb",
    "rpmrepo",
    "schema",
    "scram",
    "shares",
    "simulation",
    "step",
    "stranger",
    "supplies",
    "system",
    "systemctl",
    "sysv",
    "table",
    "timing",
    "tomltext",
    "transaction",
    "unit",
    "waiting",
    "wire",
    "written",
    "yamltext",
)
"""What of `vitrify.core` travels; an architecture test compares it with what the rest imports."""
FOLDERS = ("onhost", "resources")
INSTANCES = (
    "core/locked",
    "core/recipe",
    "core/shares",
    "core/timing",
    "onhost/admin",
    "onhost/altered",
    "onhost/answering",
    "onhost/assemble",
    "onhost/bake",
    "onhost/caddy",
    "onhost/caddy_engine",
    "onhost/collecting",
    "onhost/confining",
    "onhost/console",
    "onhost/container",
    "onhost/containers",
    "onhost/debfile",
    "onhost/dropping",
    "onhost/engine",
    "onhost/foreign",
    "onhost/freezing",
    "onhost/haproxy",
    "onhost/haproxy_engine",
    "onhost/insides",
    "onhost/instances",
    "onhost/likeness",
    "onhost/measuring",
    "onhost/owners",
    "onhost/rereading",
    "onhost/reviving",
    "onhost/rootview",
    "onhost/routes",
    "onhost/routing",
    "onhost/sameness",
    "onhost/sandbox",
    "onhost/secluding",
    "onhost/sharing",
    "onhost/shelving",
    "onhost/slots",
    "onhost/stage",
    "onhost/supplied",
    "onhost/taking",
    "onhost/tools",
    "onhost/traffic",
    "onhost/unpack",
    "onhost/untar",
    "onhost/volumes",
    "onhost/watching_inside",
    "onhost/whereabouts",
)
"""What only a host of instances needs, of images, routers and bakes: whoever is changed in place does without. See `in_place`."""
LARGEST = 1_350_000
"""A payload beyond this many bytes is refused: it would cost every first contact with a host. On the way it is a quarter of that."""
_QUOTES = '"""'
_REMARK = re.compile(r"(?:^\s*#.*|(?<=\S)  #[^\"']*)$")
_DATE = (1980, 1, 1, 0, 0, 0)

_MAIN = """\
import sys

if sys.version_info < (3, 9):
    sys.exit("vitrify needs Python 3.9 or newer on the target; this is %d.%d" % sys.version_info[:2])

from vitrify.onhost.runner import main
from vitrify.resources.registry import all_kinds

main(all_kinds())
"""


@dataclass(frozen=True)
class Payload:
    """The program, and the digest that it is known by."""

    content: bytes

    @property
    def digest(self) -> str:
        """sha256, in hex."""
        return hashlib.sha256(self.content).hexdigest()


def in_place() -> Payload:
    """What a host is sent that is changed in place, or only looked at: a quarter less at the first contact."""
    return pack(without=INSTANCES)


def pack(*, without: Collection[str] = ()) -> Payload:
    """The payload of this version, but for these of its files.

    Stored, not compressed: how a library compresses may change from one to the next.
    """
    package = files("vitrify")
    members = {"__main__.py": _MAIN.encode(), "vitrify/__init__.py": (package / "__init__.py").read_bytes()}
    members |= {f"vitrify/core/{name}.py": (package / "core" / f"{name}.py").read_bytes() for name in CORE}
    for folder in FOLDERS:
        members |= _sources(package / folder, f"vitrify/{folder}")
    left_out = {f"vitrify/{name}.py" for name in without}
    members = {name: lean(source.decode()).encode() for name, source in members.items() if name not in left_out}
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        for name in sorted(members):
            entry = zipfile.ZipInfo(name, _DATE)
            entry.create_system, entry.external_attr = 3, 0o100644 << 16
            archive.writestr(entry, members[name])
    return Payload(packed.getvalue())


def lean(source: str) -> str:
    """The same program on the same lines, without what is written for its readers: a host runs it, and reads the rest in vain.

    Knows the layout that our formatter gives: a text of several lines that begins a line is a docstring. An architecture test
    compares what Python makes of each file with and without.
    """
    kept: list[str] = []
    inside, told = "", False
    for line in source.split("\n"):
        text = line.strip()
        if inside:  # of a text over several lines, which may hold anything
            kept.append("" if told else line)
            inside = "" if inside in line else inside
            continue
        told = text.startswith(_QUOTES)
        opened = text.count(_QUOTES) % 2 == 1
        inside = _QUOTES if opened else ""
        kept.append(_instead(line) if told else _REMARK.sub("", line))
    return "\n".join(kept)


def _instead(line: str) -> str:
    """What stands for a docstring: the body of a function or a class may be nothing else."""
    indent = len(line) - len(line.lstrip())
    return " " * indent + "0" if indent else ""


def _sources(folder: Traversable, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for item in folder.iterdir():
        if item.is_dir() and item.name != "__pycache__":
            found |= _sources(item, f"{name}/{item.name}")
        elif item.name.endswith(".py"):
            found[f"{name}/{item.name}"] = item.read_bytes()
    return found


def placed(payload: Payload, folder: Path) -> Path:
    """The payload as a file of this folder, written if it is not there yet, or not whole."""
    path = folder / f"{payload.digest}.pyz"
    try:
        if path.read_bytes() == payload.content:
            return path
    except FileNotFoundError:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = folder / f".{payload.digest}.{os.getpid()}"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
    with os.fdopen(descriptor, "wb") as file:
        file.write(payload.content)
        file.flush()
        os.fsync(file.fileno())
    temporary.replace(path)
    return path


def unpacked(payload: Payload, folder: Path) -> Path:
    """The payload as a folder that runs as it is, for this machine alone: Python keeps what it compiled beside it.

    From the single file every start compiles everything anew, which takes three times as long as all the rest of a start.
    """
    path = folder / payload.digest
    if path.is_dir():
        return path
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{payload.digest[:16]}.", dir=folder))
    with zipfile.ZipFile(io.BytesIO(payload.content)) as archive:
        archive.extractall(temporary)
    try:
        temporary.rename(path)
    except OSError:
        # Somebody else was first, with the same bytes.
        shutil.rmtree(temporary)
    return path
