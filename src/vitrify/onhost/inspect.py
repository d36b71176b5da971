"""The call `audit`: what is wished and owned as it is now, and managed folders beside their baseline. Changes nothing."""

from __future__ import annotations

import gc
from contextlib import contextmanager, suppress
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

from vitrify.core import place
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, KEYED, PLAIN, JSONObject
from vitrify.core.resource import Resource
from vitrify.onhost.baseline import Baseline, outer, sweeper
from vitrify.onhost.context import Context
from vitrify.onhost.copied import believed, sealed_in
from vitrify.onhost.explaining import Told, explained
from vitrify.onhost.fingerprint import Print
from vitrify.onhost.grown import grown
from vitrify.onhost.observe import look, witnessed
from vitrify.onhost.records import differing
from vitrify.onhost.scope import Here
from vitrify.onhost.walk import Manner


def audit(context: Context, arguments: JSONObject) -> JSONObject:
    """Observe, and sweep those of the folders that have a baseline; with `full` every byte is read again.

    Without it every byte is read of the folders whose `turn` it is, one in `shares` of them.
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
    resources = here.resources(arguments)
    seen = look(here, resources)
    kept = Baseline.remembered(here)
    baseline = believed(here, kept, sealed_in(arguments))
    asked = arguments.get("folders")
    folders = outer(str(folder) for folder in asked if baseline.covers(str(folder))) if isinstance(asked, list) else baseline.folders
    recorded = baseline.within(folders)
    swept = sweeper(here).over(folders, known=recorded, manner=_manner(arguments))
    told: List[Told] = [(path, *_told(here, path, *both)) for path, both in differing(recorded, swept.tree).items()]
    return {
        "facts": here.system.facts(),
        **seen.to_json(),
        "baseline": {path: before for path, before, _ in told if before is not None},
        "sweep": {path: now for path, _, now in told if now is not None},
        "changed_at": {path: at for path, _, now in told if now is not None and (at := _changed_at(here, path)) is not None},
        "grown": [*grown(here, told)],
        "texts": _texts(here, told, resources),
        "swept": swept.entries,
        "read": swept.read,
        "seals": dict(kept.seals),
        "digest": baseline.digest,
        "ledger": witnessed(here),
        "missing": [str(folder) for folder in asked if not baseline.covers(str(folder))] if isinstance(asked, list) else [],
        **explained(here, told),
    }


def _manner(arguments: JSONObject) -> Manner:
    turn, shares = (arguments.get(name) for name in ("turn", "shares"))
    return Manner(
        whole=arguments.get("full") is True,
        turn=turn if isinstance(turn, int) else 0,
        shares=max(shares, 0) if isinstance(shares, int) else 0,
    )


def _changed_at(here: Here, path: str) -> Optional[int]:
    """When the kernel last changed the entry, in seconds since the epoch: no file API sets that time."""
    with suppress(OSError), here.system.beneath.at(path) as spot:
        entry = spot.entry()
        return int(entry.status.st_ctime) if entry else None
    return None


_MOST_TEXTS = 50


def _texts(here: Here, told: Sequence[Told], resources: Sequence[Resource]) -> JSONObject:
    """What files hold now whose former text the declaration has, where everybody may read it: for a diff."""
    declared = {str(resource.fields.get("content")) for resource in resources}
    found: Dict[str, JSON] = {}
    for path, before, now in told:
        if before and now and before.get("sha256") in declared and now.get("sha256") != before["sha256"] and len(found) < _MOST_TEXTS:
            with suppress(VitrifyError, OSError):  # gone since it was swept
                stat = here.system.stat(path)
                text = place.body(path, stat, here.system) if stat else None
                found.update({path: text} if text is not None else {})
    return found


Both = Tuple[Optional[JSONObject], Optional[JSONObject]]


def _told(here: Here, path: str, before: Optional[Print], now: Optional[Print]) -> Both:
    """What was and what is, as it is sent; what is not known of the one is not told of the other."""
    if before is None or now is None:
        return before and before.to_json(), now and now.to_json()
    return before.known_to(now).to_json(), _alike(here, path, before, now).known_to(before).to_json()


def _alike(here: Here, path: str, before: Print, now: Print) -> Print:
    """The fingerprint with its content digested as in the baseline, where that shows that the content is the same.

    Whether a digest is keyed follows from who may read the file: of a file whose mode alone changed the two could not be compared.
    """
    old, new = before.content or "", now.content or ""
    if {_how(old), _how(new)} != {PLAIN, KEYED}:
        return now
    try:
        same = here.system.digest(path, keyed=old.startswith(KEYED)) == old
    except (VitrifyError, OSError):  # gone since it was swept, or not to be read: what was seen is told
        return now
    return now._replace(content=old) if same else now


def _how(digest: str) -> str:
    return digest[: digest.find(":") + 1]


CALLS = {"audit": audit}
