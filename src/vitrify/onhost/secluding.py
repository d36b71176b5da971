"""An instance as evidence: stopped, out of every list, and kept with all that it wrote until somebody discards it."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, List, Mapping, Optional

from vitrify.core.diagnostic import Denied
from vitrify.onhost import keeping
from vitrify.onhost.record import read_record, write_record

if TYPE_CHECKING:
    from vitrify.core.digest import JSON, JSONObject

RECORD = "quarantined.json"


def seclude(folder: str, told: Mapping[str, JSON]) -> None:
    """Note durably that this stopped instance is evidence; the first note stays. Denied while it runs."""
    if keeping.state(folder).kept:
        raise Denied(f"{folder} still runs", hint="stop it first")
    if secluded(folder) is None:
        write_record(f"{folder}/{RECORD}", {"format": 1, "at": round(time.time()), **told})


def secluded(folder: str) -> Optional[JSONObject]:
    """The note; None on an instance that is none."""
    return read_record(f"{folder}/{RECORD}")


def shown(folder: str) -> List[JSON]:
    """The note with what the instance is; nothing where there is none."""
    note = secluded(folder)
    spec = read_record(f"{folder}/spec.json") if note else None
    return [{**note, **{name: spec.get(name) for name in ("id", "image", "labels")}}] if note and spec else []
