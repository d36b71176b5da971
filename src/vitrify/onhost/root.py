"""A folder treated as a server's root, or an image being baked, as a system: nothing of the machine around it is used."""

from __future__ import annotations

import os
from typing import Callable, List, Mapping, Optional, Sequence, Tuple

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.system import Target
from vitrify.onhost.accounts import RootAccounts
from vitrify.onhost.beneath import Beneath
from vitrify.onhost.contained import Contained
from vitrify.onhost.facts import content_of, facts_of
from vitrify.onhost.rooted import Rooted, Surroundings
from vitrify.onhost.sidecar import Sidecar


def folder_system(root: str, *, sidecar: Optional[Sidecar], bwrap: str, blob: Callable[[str], bytes], key: bytes) -> Rooted:
    """The folder `root`. `sidecar` is needed where we are not root."""
    return _system(Beneath([root]), Target.FOLDER, sidecar, bwrap, (blob, key))


def image_system(  # noqa: PLR0913  one value for each thing that differs between bakes
    root: str, lower: Sequence[str], *, bwrap: str, blob: Callable[[str], bytes], key: bytes, table: Optional[Mapping[str, JSON]] = None
) -> Rooted:
    """The image that `root` is the upper layer of; modes and owners are kept in a table, whoever bakes.

    `table` is the one that was kept of the layers beneath.
    """
    return _system(Beneath([root, *lower]), Target.IMAGE, Sidecar(table or {}), bwrap, (blob, key))


def _system(
    beneath: Beneath, target: Target, sidecar: Optional[Sidecar], bwrap: str, contents: Tuple[Callable[[str], bytes], bytes]
) -> Rooted:
    accounts = RootAccounts(lambda path: content_of(beneath, path), lambda path: _version(beneath, path))

    def facts() -> JSONObject:
        name = (content_of(beneath, "/etc/hostname") or b"").decode("utf-8", "replace").strip()
        return facts_of(beneath, hostname=name)

    return Rooted(
        beneath,
        Surroundings(
            target=target,
            accounts=accounts,
            programs=Contained(beneath, accounts, bwrap),
            sidecar=sidecar,
            blob=contents[0],
            key=contents[1],
            facts=facts,
            service_manager=lambda: False,
        ),
    )


def _version(beneath: Beneath, path: str) -> Optional[Tuple[int, ...]]:
    """What changes when the file does. It is only compared: that a link could lead elsewhere here does no harm."""
    found: List[int] = []
    for layer in beneath.layers:
        try:
            status = os.stat(layer + path)
        except OSError:
            found.append(-1)
        else:
            found += [status.st_ino, status.st_size, status.st_mtime_ns]
    return tuple(found)
