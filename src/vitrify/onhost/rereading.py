"""Reads again what this host keeps of images: every blob that was sent here, and every unpacked image. The payload's `image.check`."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Callable, Iterator, List, Mapping, Set, Tuple

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.context import Context
from vitrify.onhost.files import hash_of
from vitrify.onhost.launching import folders
from vitrify.onhost.likeness import differs
from vitrify.onhost.record import read_record
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.unpack import unpack

Row = Tuple[str, str]
"""What is bad, and why."""


def check(context: Context, arguments: JSONObject) -> JSONObject:
    """Everything beneath `home` that is not what its name says, and nothing touched: how many blobs, roots and bytes were read."""
    home = Path(str(arguments["home"]))
    layout = home / "store" / "oci"
    blobs = sorted(path for path in (layout / "blobs" / "sha256").glob("*") if len(path.name) == 64)
    bad: List[Row] = []
    size = 0
    for number, path in enumerate(blobs, 1):
        context.emit(Event("store.check", Stage.PROGRESS, "store", f"blob {number} of {len(blobs)}"))
        try:
            size += path.stat().st_size
            bad += _blob(path)
        except FileNotFoundError:
            continue  # collected this moment
    roots = sorted(path for path in (home / "images").glob("*") if len(path.name) == 64)
    broken = {digest for digest, _ in bad}
    bad += [row for root in roots for row in _root(home, str(layout), root, broken)]
    told: List[JSON] = [[what, why, [*_uses(str(home), what)]] for what, why in bad]
    return {"blobs": len(blobs), "roots": len(roots), "bytes": size, "bad": told}


def _blob(path: Path) -> Iterator[Row]:
    try:
        with path.open("rb") as file:
            found = hash_of(file.fileno())
    except PermissionError as error:
        yield PLAIN + path.name, f"cannot be read: {error.strerror}"
        return
    if found != path.name:
        yield PLAIN + path.name, "its sha256 differs"


def _root(home: Path, layout: str, root: Path, broken: Set[str]) -> Iterator[Row]:
    """Unpacked once more, and compared; where its layers are bad, that is told of them."""
    aside = tempfile.mkdtemp(dir=home / "images", prefix=".check-")
    try:
        again = unpack(layout, PLAIN + root.name, f"{aside}/again", sync=lambda _: None)
        why = differs(Path(again.folder), root)
    except IntegrityFailed as error:
        why = "" if broken else f"cannot be compared: {error.diagnostics[0].summary}"
    finally:
        remove_tree(aside)
    if why:
        yield str(root), why


def _uses(home: str, what: str) -> Iterator[str]:
    """The instances that run from a root."""
    for folder in folders(home):
        spec = read_record(f"{folder}/spec.json") or {}
        if str(spec.get("image", ""))[len(PLAIN) :] == Path(what).name:
            yield f"instance {Path(folder).name}"


CALLS: Mapping[str, Callable[[Context, JSONObject], JSONObject]] = {"image.check": check}
