"""Unpacks an image from an OCI layout into a folder that instances run from: whole and checked, or not there at all."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Callable, Dict, Final, Iterator, Mapping, Optional, Tuple

from vitrify.core.diagnostic import IntegrityFailed, TargetFailed
from vitrify.core.digest import JSON, JSONObject, canonical
from vitrify.onhost.layer import Root
from vitrify.onhost.layout import LABEL_BASE, Checked, read_document, read_manifest
from vitrify.onhost.mounts import HOST, Mount, entries, mounts
from vitrify.onhost.removal import remove_tree
from vitrify.onhost.sharing import neighbours, share

MOUNT_POINTS: Final = ("dev", "proc", "run", "sys", "tmp")
"""Folders that every root has, because something is mounted there or programs expect them."""

OCI: Final = "oci"
FOREIGN: Final = ("", OCI)
"""Bases of images that hold layers which others packed: no base of ours is named, or an image from a registry is."""

LARGEST_IMAGE: Final = 64 << 30
"""Bytes of all layers together."""

_RECORD: Final = "image.json"
ATTRIBUTES: Final = "attributes.json"
"""Beside a root that was not unpacked as root: `{path: {mode, uid, gid}}` for what could not be set on disk."""

Settle = Callable[[int], None]


@dataclass(frozen=True)
class Unpacked:
    """An image, ready to run. `entries` are the top-level names that the image itself brought; `config` its OCI settings."""

    folder: str
    digest: str
    base: str
    config: JSONObject
    entries: Mapping[str, str]

    @property
    def root(self) -> str:
        """The folder that is the image's `/`; read-only by agreement."""
        return f"{self.folder}/root"

    def mounts(self, host_entries: Mapping[str, str]) -> Tuple[Mount, ...]:
        """What an instance's root is put together from; `host_entries` as `mounts.entries()` tells."""
        return mounts(self.root, self.base, host_entries, self.entries)


def settle(folder: int) -> None:
    """Bring everything written to this file system to the disk: a file of an image must not be empty after a power cut."""
    import ctypes  # costs more than a whole look at the target, and is needed once in an image's life

    syncfs = getattr(ctypes.CDLL(None), "syncfs", None)
    if syncfs is None or syncfs(folder) != 0:
        os.sync()


def unpack(layout: str, digest: str, into: str, *, sync: Settle = settle) -> Unpacked:
    """The image of this digest, unpacked in the folder `into`; one that is there already is used as it is.

    Every blob is checked against its digest (IntegrityFailed), every entry for reaching outside (Denied). Several processes
    may ask for the same image at once: one works, the others wait. Killed anywhere, the next call begins afresh.
    """
    place = Path(into)
    place.parent.mkdir(parents=True, exist_ok=True)
    with _alone(place):
        known = _read_record(place, digest)
        if known is not None:
            return known
        part = place.with_name(f".{place.name}.part")
        try:
            remove_tree(str(part))
            _fill(part, layout, digest, sync)
            part.rename(place)
        except OSError as error:
            raise TargetFailed(f"the image {digest} cannot be unpacked in {into}", why=str(error)) from error
    found = _read_record(place, digest)
    if found is None:
        raise TargetFailed(f"{place} was removed while the image was unpacked into it")
    return found


@contextmanager
def _alone(place: Path) -> Iterator[None]:
    lock = os.open(place.with_name(f".{place.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _read_record(place: Path, digest: str) -> Optional[Unpacked]:
    try:
        data = json.loads((place / _RECORD).read_bytes())
    except FileNotFoundError:
        return None
    if data.get("digest") != digest:
        raise IntegrityFailed(f"{place} holds another image", why=f"expected {digest}, found {data.get('digest')}")
    return Unpacked(str(place), digest, data["base"], data["config"], data["entries"])


def _fill(part: Path, layout: str, digest: str, sync: Settle) -> None:
    manifest = read_manifest(layout, digest)
    if sum(layer.size for layer in manifest.layers) > LARGEST_IMAGE:
        raise IntegrityFailed(f"the image {digest} is larger than any image", why=f"more than {LARGEST_IMAGE} bytes")
    config = _settings(read_document(layout, manifest.config.digest))
    labels = config.get("Labels")
    base = str(labels.get(LABEL_BASE, "")) if isinstance(labels, dict) else ""
    part.mkdir(mode=0o700)
    root = part / "root"
    root.mkdir()
    root.chmod(0o755)
    place = Root(str(root), beneath=base == HOST, twins=neighbours(part))
    try:
        for layer in manifest.layers:
            _lay(place, Checked(layout, layer), foreign=base in FOREIGN)
        stamps = place.finish()
        own = entries(str(root))
        for name in MOUNT_POINTS:
            place.make_point(name)
    finally:
        place.close()
    if stamps:
        (part / ATTRIBUTES).write_bytes(canonical(stamps))
    record: Dict[str, JSON] = {"digest": digest, "base": base, "config": config, "entries": dict(own)}
    (part / _RECORD).write_bytes(canonical(record))
    share(root, neighbours(part))
    _synced(part, sync)


def _lay(place: Root, blob: Checked, *, foreign: bool) -> None:
    """Lay one layer down. A wrong digest is told before anything that the layer's content made us complain about."""
    try:
        place.apply(blob, foreign=foreign)
    finally:
        try:
            blob.finish()
        finally:
            blob.close()


def _settings(config: JSONObject) -> JSONObject:
    settings = config.get("config")
    return settings if isinstance(settings, dict) else {}


def _synced(folder: Path, sync: Settle) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        sync(descriptor)
    finally:
        os.close(descriptor)
