"""The call `audit`: what is wished and owned as it is now, and managed folders beside their baseline. Changes nothing."""

from __future__ import annotations

import gc
from contextlib import contextmanager
from typing import Dict, Iterator, Optional

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import KEYED, PLAIN, JSONObject
from vitrify.onhost.baseline import Baseline, differing, prints, sweep
from vitrify.onhost.context import Context
from vitrify.onhost.fingerprint import Known
from vitrify.onhost.observe import look, witnessed
from vitrify.onhost.scope import Here


def audit(context: Context, arguments: JSONObject) -> JSONObject:
    """Observe, and sweep those of the folders that have a baseline; with `full` every byte is read again.

    Only what differs is sent: of a large tree that is little, and the rest is told by its number.
    """
    with _uncollected():
        return _audit(Here.at(context, arguments), arguments)


@contextmanager
def _uncollected() -> Iterator[None]:
    """No value of an audit refers to itself; to look for such values again and again among so many takes a sixth of the time."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


def _audit(here: Here, arguments: JSONObject) -> JSONObject:
    seen = look(here, here.resources(arguments))
    baseline = Baseline.remembered(here)
    asked = arguments.get("folders")
    folders = tuple(str(folder) for folder in asked if baseline.covers(str(folder))) if isinstance(asked, list) else baseline.folders
    recorded = baseline.within(folders)
    full = arguments.get("full") is True
    known: Dict[str, Known] = {} if full else recorded
    found = sweep(here, folders, known)
    moved = differing(recorded, found)
    return {
        "facts": here.system.facts(),
        **seen.to_json(),
        "baseline": prints(recorded, moved),
        "sweep": prints({path: _alike(here, path, recorded.get(path), found[path]) for path in moved if path in found}, moved),
        "swept": len(found),
        "digest": baseline.digest if full else "",
        "ledger": witnessed(here),
    }


def _alike(here: Here, path: str, before: Optional[Known], now: Known) -> Known:
    """The fingerprint with its content digested as in the baseline, where that shows that the content is the same.

    Whether a digest is keyed follows from who may read the file: of a file whose mode alone changed the two could not be compared.
    """
    old, new = (str(known.print.get("sha256", "")) if known else "" for known in (before, now))
    if {_how(old), _how(new)} != {PLAIN, KEYED}:
        return now
    try:
        same = here.system.digest(path, keyed=old.startswith(KEYED)) == old
    except (VitrifyError, OSError):  # gone since it was swept, or not to be read: what was seen is told
        return now
    return Known({**now.print, "sha256": old}, now.seen) if same else now


def _how(digest: str) -> str:
    return digest[: digest.find(":") + 1]


CALLS = {"audit": audit}
