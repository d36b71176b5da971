"""Small JSON files that are either whole or not there: what shims and their callers tell each other."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Mapping, Optional

if TYPE_CHECKING:  # a shim lives as long as its instance: it does not load OpenSSL for the name of a type
    from vitrify.core.digest import JSONObject


def write_record(path: str, record: JSONObject, *, mode: int = 0o600) -> None:
    """Replace the file at once; a reader, or a machine that lost its power, finds the old or the new record."""
    write_whole(path, as_bytes(record), mode=mode)


def as_bytes(record: JSONObject) -> bytes:
    """What the file of a record holds."""
    return json.dumps(record, sort_keys=True, indent=1).encode() + b"\n"


def write_whole(path: str, content: bytes, *, mode: int = 0o600) -> None:
    """The same for any bytes."""
    os.rename(_written_beside(path, content, mode), path)  # noqa: PTH104  a shim imports as little as it can
    sync_folder(os.path.dirname(path) or ".")  # noqa: PTH120  the same


def write_together(folder: str, contents: Mapping[str, bytes]) -> None:
    """Replace files of a folder, in this order, each whole; those that say it already are left alone. Durable once it returns."""
    new = {name: content for name, content in contents.items() if _content(f"{folder}/{name}") != content}
    beside = [(_written_beside(f"{folder}/{name}", content, 0o600), f"{folder}/{name}") for name, content in new.items()]
    for temporary, path in beside:
        os.rename(temporary, path)  # noqa: PTH104  the same
    if beside:
        sync_folder(folder)


def _written_beside(path: str, content: bytes, mode: int) -> str:
    temporary = f"{path}.{os.getpid()}.new"
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW | os.O_CLOEXEC, mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(descriptor)
    return temporary


def _content(path: str) -> Optional[bytes]:
    try:
        with open(path, "rb") as file:  # noqa: PTH123  the same
            return file.read()
    except OSError:
        return None


def sync_file(path: str) -> None:
    """Make the content of this file durable."""
    _sync(path, os.O_NOFOLLOW)


def sync_folder(path: str) -> None:
    """Make names in this folder durable: after a power cut a rename alone may be lost."""
    _sync(path, os.O_DIRECTORY)


def _sync(path: str, flags: int) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | flags)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def read_record(path: str) -> Optional[JSONObject]:
    """The record, or None where there is none or it was not written by us."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    with os.fdopen(descriptor, "rb") as file:
        try:
            record = json.loads(file.read())
        except ValueError:
            return None
    return record if isinstance(record, dict) else None
