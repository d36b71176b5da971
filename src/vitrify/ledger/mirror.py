"""The ledger as hosts witness it: what each is told of it, and whether what one saw is in it."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from vitrify.core.diagnostic import Busy, IntegrityFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.ledger.checkpoint import Checkpoint, claimed_size, open_checkpoint
from vitrify.ledger.entry import Entry
from vitrify.ledger.log import CHECKPOINT, Log
from vitrify.ledger.stored import Stored

MOST = 10_000
"""So many of the newest entries a host is brought at once, at most: one that never heard of a long ledger is not made to wait for it."""
_RECOVER = "work there; if that machine is lost, `vitrify ledger recover --from-hosts` rebuilds its ledger from the hosts"


@dataclass(frozen=True)
class Mirror:
    """Tells hosts of this ledger. `home` is where it lives, in words; `told` is what each host was told by this process."""

    log: Log
    home: str
    told: dict[str, int] = field(default_factory=dict)

    def judged(self, seen: JSON, host: str) -> int:
        """How much of this ledger a host saw; Busy where it saw more than is here, or another one.

        A checkpoint that nobody known signed proves nothing, whoever put it there: then the host saw nothing.
        """
        self.told[host] = size = self._judged(seen, host) if isinstance(seen, dict) else 0
        return size

    def _judged(self, seen: JSONObject, host: str) -> int:
        note = str(seen.get("checkpoint", "")).encode()
        if not note:
            return 0
        try:
            held = self._opened(note)
        except IntegrityFailed:
            return 0
        if not self._holds(held):
            raise self._elsewhere(held, str(seen.get("home", "")), host)
        return held.size

    def news(self, host: str, *, since: int) -> JSONObject:
        """What a call brings a host of this ledger that saw its first `since` entries; empty where nothing is new."""
        since = max(since, self.told.get(host, 0))
        note = self.log.store.read(CHECKPOINT)
        size = 0 if note is None else claimed_size(note)
        if note is None or size <= since:
            return {}
        entries = [entry.encode().decode() for entry in self._upto(max(since, size - MOST), size) if concerns(entry, host)]
        proof = [part.hex() for part in self.log.consistency(since)] if since else []
        self.told[host] = size
        return {"ledger": {"checkpoint": note.decode(), "home": self.home, "since": since, "proof": [*proof], "entries": [*entries]}}

    def _upto(self, since: int, size: int) -> Iterable[Entry]:
        return (entry for entry in self.log.entries(since) if entry.sequence < size)

    def _opened(self, note: bytes) -> Checkpoint:
        return open_checkpoint(note, origin=self.log.origin, trusted=self.log.keys(claimed_size(note)))

    def _holds(self, held: Checkpoint) -> bool:
        size = self.log.size
        return held.size <= size and Stored(self.log.store, size).root_of(held.size) == held.root

    def _elsewhere(self, held: Checkpoint, home: str, host: str) -> Busy | IntegrityFailed:
        size = self.log.size
        if home == self.home:
            why = f"{host} saw {held.size} entries of it, and the {size} that are here are not a continuation of those"
            hint = "`vitrify ledger recover --from-hosts` rebuilds what the hosts saw; keep what is here as it is"
            return IntegrityFailed("the ledger was shortened or rewritten", why=why, hint=hint)
        why = f"{host} saw {held.size} entries of it, and the {size} that are here are not a continuation of those"
        return Busy(f"the ledger of this project lives at {home or 'another machine'}", why=why, hint=_RECOVER)


def concerns(entry: Entry, host: str) -> bool:
    """Whether a host keeps an entry: it names that host, or no host at all."""
    one, several = entry.body.get("host"), entry.body.get("hosts")
    named = {*([one] if isinstance(one, str) and one else []), *(filter(_text, several) if isinstance(several, list) else ())}
    return not named or host in named


def _text(value: object) -> bool:
    return isinstance(value, str)
