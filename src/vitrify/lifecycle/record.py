"""What the stories write into the ledger, and how they find it again after a crash."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from vitrify.core.digest import JSONObject
from vitrify.ledger.entry import Entry
from vitrify.lifecycle.world import Ledger

if TYPE_CHECKING:
    from vitrify.core.plan import Plan

_STRIDE = 256
_LOOKED_BACK = 4096
"""So many entries before now, at most, a plan was begun that is still to be finished."""


def once(ledger: Ledger, kind: str, body: JSONObject, *, since: int) -> int:
    """Append an entry unless this operation wrote one of this kind already (entries from `since` on); returns its number.

    A process may die between the append and the note that it was done: then the same step is carried out again, and
    the ledger must not tell it twice.
    """
    for entry in ledger.entries(since):
        if entry.kind == kind and entry.body.get("operation") == body["operation"]:
            return entry.sequence
    return ledger.append(kind, body).sequence


def last(ledger: Ledger, *, server: str | None, kinds: tuple[str, ...], host: str | None = None, but: str = "") -> Entry | None:
    """The newest entry of one of these kinds about a server (on a host), or None. No server is any; `but` is an operation to pass over."""
    end = ledger.size
    while end > 0:
        start = max(0, end - _STRIDE)
        found = [entry for entry in _upto(ledger, start, end) if entry.kind in kinds and _about(entry, server, host)]
        found = [entry for entry in found if not but or entry.body.get("operation") != but]
        if found:
            return found[-1]
        end = start
    return None


def _upto(ledger: Ledger, start: int, end: int) -> list[Entry]:
    entries: list[Entry] = []
    for entry in ledger.entries(start):
        if entry.sequence >= end:
            break
        entries.append(entry)
    return entries


def _about(entry: Entry, server: str | None, host: str | None) -> bool:
    return (server is None or entry.body.get("server") == server) and (host is None or entry.body.get("host") == host)


def plan(planned: Plan, ledger: Ledger) -> None:
    """Enter a plan, unless the newest entry is this very plan."""
    newest = next(iter(ledger.entries(ledger.size - 1)), None) if ledger.size else None
    if newest is None or newest.kind != "plan" or newest.body.get("plan") != planned.digest:
        body: JSONObject = {"plan": planned.digest, "declaration": planned.declaration, "empty": planned.empty}
        everything = planned.selection == type(planned.selection)()
        picked: JSONObject = {} if everything else {"selection": planned.selection.to_json()}
        ledger.append("plan", {**body, **picked})


def unfinished(ledger: Ledger, plan: str, places: Iterable[tuple[str, str]]) -> bool:
    """Whether this plan was begun and cut short: something of it was intended, and nothing of it ended at any of these places.

    A place is a server and its host; entries that name no host are about all hosts of their server.
    """
    begun: dict[str, Entry] = {}
    over: set[tuple[object, object]] = set()
    for entry in ledger.entries(max(0, ledger.size - _LOOKED_BACK)):
        operation = str(entry.body.get("operation", ""))
        if entry.kind.endswith(".intended") and entry.body.get("plan") == plan:
            begun.setdefault(operation, entry)
        elif operation in begun and entry.kind.rpartition(".")[2] in ("done", "failed") and _ends(entry, begun[operation]):
            over.add((entry.body.get("server"), entry.body.get("host")))
    return bool(begun) and not any((server, host) in over or (server, None) in over for server, host in places)


def _ends(entry: Entry, intended: Entry) -> bool:
    return entry.kind.rpartition(".")[0] == intended.kind.rpartition(".")[0]
