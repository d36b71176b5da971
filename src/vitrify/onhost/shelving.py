"""Writes into an OCI image layout on disk: each blob whole or not there, and the index last."""

from __future__ import annotations

import fcntl
import json
import os
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Dict, Iterator, Mapping

from vitrify.core.digest import JSON, JSONObject, canonical, digest_bytes
from vitrify.onhost.freezing import is_frozen, melt
from vitrify.onhost.layout import Descriptor, blob_path
from vitrify.onhost.record import sync_folder


def holds(layout: str, blob: Descriptor) -> bool:
    """Whether this blob is here with its full size."""
    try:
        return blob_path(layout, blob.digest).stat().st_size == blob.size
    except FileNotFoundError:
        return False


def adopt(layout: str, file: Path, *, digest: str) -> None:
    """Keep a finished file as a blob; durable, and whole or not at all. It has to lie on the same file system."""
    with file.open("rb") as finished:
        os.fsync(finished.fileno())
    file.chmod(0o644)
    path = blob_path(layout, digest)
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        file.replace(path)
    except PermissionError:
        if not is_frozen(path):
            raise
        file.unlink()  # it is written once: what is there has the same digest, or a check says so
    sync_folder(str(path.parent))


def put(layout: str, content: bytes) -> str:
    """Keep a document as a blob; its digest. The caller holds the layout's lock."""
    digest = digest_bytes(content)
    write(blob_path(layout, digest), content)
    return digest


def enter(layout: str, row: JSONObject) -> None:
    """Enter a manifest into the index, sorted. The caller holds the layout's lock, and what the manifest names is here."""
    index(layout, {**listed(layout), str(row["digest"]): row})


def index(layout: str, rows: Mapping[str, JSONObject]) -> None:
    """Have exactly these manifests in the index, sorted: digest -> row. The caller holds the layout's lock."""
    write(Path(layout, "oci-layout"), canonical({"imageLayoutVersion": "1.0.0"}))
    manifests: JSON = [known for _, known in sorted(rows.items())]
    write(Path(layout, "index.json"), canonical({"schemaVersion": 2, "manifests": manifests}))


def listed(layout: str) -> Dict[str, JSONObject]:
    """Digest -> row, for everything in the index."""
    with suppress(FileNotFoundError):
        rows = json.loads(Path(layout, "index.json").read_bytes())["manifests"]
        return {str(row["digest"]): row for row in rows}
    return {}


def write(path: Path, content: bytes, *, durable: bool = True) -> None:
    """Write a whole file, readable by all; equal content that is there already is left alone.

    The caller holds a lock, so the temporary file has one name: what a killed process left of it is overwritten.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with suppress(FileNotFoundError):
        if path.read_bytes() == content:
            return
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        os.fchmod(file.fileno(), 0o644)
        if durable:
            os.fsync(file.fileno())
    temporary.replace(path)
    if durable:
        sync_folder(str(path.parent))


def remove(path: Path) -> None:
    """Take a blob away, also one that was immutable for as long as somebody needed it; one that is gone is fine."""
    with suppress(FileNotFoundError):
        try:
            path.unlink()
        except PermissionError:
            if not melt(path):
                raise
            path.unlink()


@contextmanager
def locked(place: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold one of a store's locks, alone or `shared`: `.NAME.lock` beside this folder, which is made where it is not there."""
    place.mkdir(parents=True, exist_ok=True)
    lock = os.open(place.parent / f".{place.name}.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(lock, fcntl.LOCK_SH if shared else fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)
