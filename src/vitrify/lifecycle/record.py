"""What the stories write into the ledger, and how they find it again after a crash."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrify.core.digest import JSONObject
from vitrify.ledger.entry import Entry
from vitrify.lifecycle.world import Ledger

if TYPE_CHECKING:
    from vitrify.core.plan import Plan

_STRIDE = 256


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
