"""The ledger as its writers know it: append, read, find, prove.

An append is three durable steps, in this order, and may be killed behind any of them:

| step       | what is durable then              | killed there, the next append                 |
|------------|-----------------------------------|-----------------------------------------------|
| tiles      | the entries, and all their hashes | drops them: nothing was signed                |
| state      | the signed promise of the new tree| publishes it: what was signed is never unsaid |
| checkpoint | the same promise, published       | finds nothing to mend                         |

Unsigned leftovers are dropped and never adopted: whoever can write to the store could have put them there.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field

from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.step import Reached, carry_on
from vitrify.ledger import proof
from vitrify.ledger.checkpoint import Checkpoint, Signer, Time, Verifier, claimed_size, empty, open_checkpoint
from vitrify.ledger.entry import Entry, decode, timestamp
from vitrify.ledger.stored import LedgerStore, Stored, join_bundle
from vitrify.ledger.tree import TILE, Edge, Tile, edge_root, edge_tiles, grow, leaf

__all__ = ["Log", "LedgerStore", "Entry"]

CHECKPOINT = "checkpoint"
STATE = "state"


@dataclass(frozen=True)
class Log:
    """One ledger. `trusted` are the public keys (text form) of all its authors; the signer's own always counts as one.

    `held` is a checkpoint of this ledger that was kept elsewhere: a ledger that does not begin with it is refused.
    """

    store: LedgerStore
    _: KW_ONLY
    origin: str
    signer: Signer
    clock: Time
    trusted: tuple[str, ...] = ()
    bounds: Mapping[str, int] = field(default_factory=dict)
    """Public keys that count no more -> the size of the last tree that each may have signed."""
    actor: JSONObject = field(default_factory=dict)
    held: bytes | None = None
    reached: Reached = carry_on

    def __post_init__(self) -> None:
        if not self.origin or any(letter < " " for letter in self.origin):
            raise UsageInvalid(f"{self.origin!r} cannot be a ledger's origin", why="it is one line and not empty")

    def append(self, kind: str, body: JSONObject) -> Entry:
        """Add one entry. It is durable, and covered by a signed checkpoint, once this returns."""
        return self.extend([(kind, body)])[0]

    def extend(self, happenings: Sequence[tuple[str, JSONObject]]) -> tuple[Entry, ...]:
        """Add several entries, in order and with nothing between them; killed midway, the first of them may be there alone."""
        added: list[Entry] = []
        with self.store.lock():
            while len(added) < len(happenings):
                head = self._recovered()
                # Never past the end of a bundle: so an interrupted append leaves one bundle and one tile a level, at most.
                room = TILE - head.size % TILE
                chunk = happenings[len(added) : len(added) + room]
                at = timestamp(self.clock.now())
                entries = [Entry(head.size + n, at, self.signer.name, kind, body, self.actor) for n, (kind, body) in enumerate(chunk)]
                self._commit(head, [entry.encode() for entry in entries])
                added += entries
        return tuple(added)

    def recover(self) -> None:
        """Publish what a process signed before it was killed, so that readers see it before anybody appends again."""
        promised, published = self.store.read(STATE), self.store.read(CHECKPOINT)
        if promised is not None and not (published or b"").startswith(promised):
            with self.store.lock():
                self._recovered()

    @property
    def size(self) -> int:
        """How many entries the published checkpoint covers."""
        return self.head().size

    def head(self) -> Checkpoint:
        """The published checkpoint, signed by a trusted author; that of an empty ledger before the first append."""
        return self._opened(self.store.read(CHECKPOINT)) or empty(self.origin)

    def entries(self, start: int = 0) -> Iterator[Entry]:
        """Every published entry from this number on."""
        for number, data in Stored(self.store, self.size).entries(start):
            yield _numbered(number, data)

    def find(self, operation: str) -> tuple[Entry, ...]:
        """Every published entry whose body says `operation` is this one; oldest first."""
        # Most entries are of other operations: looking for its bytes, as JSON spells them, saves reading those.
        needle = json.dumps(operation, ensure_ascii=False).encode()
        candidates = (_numbered(number, data) for number, data in Stored(self.store, self.size).entries(0) if needle in data)
        return tuple(entry for entry in candidates if entry.body.get("operation") == operation)

    def inclusion(self, sequence: int) -> proof.Proof:
        """What shows a stranger that this entry is under the published checkpoint."""
        stored = Stored(self.store, self.size)
        return proof.inclusion(sequence, stored.size, stored.hash_at)

    def consistency(self, old: int) -> proof.Proof:
        """What shows a stranger that the published ledger begins with its first `old` entries."""
        stored = Stored(self.store, self.size)
        return proof.consistency(old, stored.size, stored.hash_at)

    def _commit(self, head: Checkpoint, entries: Sequence[bytes]) -> None:
        stored = Stored(self.store, head.size)
        edge = self._edge(head, stored)
        bundle = stored.open_bundle() + tuple(entries)
        leaves = tuple(leaf(entry) for entry in bundle)
        if leaves[: len(edge[0])] != edge[0]:
            raise IntegrityFailed(f"the ledger's newest bundle was altered near entry {head.size - 1}", hint=_VERIFY)
        new_edge, changed = grow(edge, leaves[len(edge[0]) :])
        index = head.size // TILE

        files = {Tile(None, index, len(bundle)).path: join_bundle(bundle)}
        for level, hashes in enumerate(changed):
            files[Tile(level, head.size // TILE ** (level + 1), len(hashes)).path] = b"".join(hashes)
        self.store.write_all(files)
        self.reached("ledger.tiles")
        note = self.signer.sign(Checkpoint(self.origin, head.size + len(entries), edge_root(new_edge)).text())
        self.store.write(STATE, note)
        self.reached("ledger.state")
        self.store.publish(CHECKPOINT, note)
        self.reached("ledger.checkpoint")

    def _edge(self, head: Checkpoint, stored: Stored) -> Edge:
        """The edge that the tiles hold, proved to be that of the signed head: nothing else is ever built upon."""
        edge = stored.edge()
        if edge_root(edge) != head.root:
            raise IntegrityFailed(f"the ledger's tiles are not those of its signed {head.size} entries", hint=_VERIFY)
        return edge

    def _recovered(self) -> Checkpoint:
        """The newest tree that was ever signed here, published, with no leftover of an interrupted append beside it."""
        note = self.store.read(STATE)
        shown = self.store.read(CHECKPOINT)
        published = self._opened(shown)
        promised = published if note == shown else self._opened(note)
        if published is None and promised is None:
            self._refuse_headless()
        head = _newest(published, promised) or empty(self.origin)
        kept = self._opened(self.held)
        for older in (published, promised, kept):
            if older is not None:
                self._refuse_unless_beginning(head, older)
        if note is not None and promised == head != published:
            self._edge(head, Stored(self.store, head.size))
            self.store.write(CHECKPOINT, note)
            self.reached("ledger.checkpoint")
        self._tidy(head.size)
        return head

    def _opened(self, note: bytes | None) -> Checkpoint | None:
        if note is None:
            return None
        return open_checkpoint(note, origin=self.origin, trusted=self.keys(claimed_size(note)))

    def keys(self, size: int) -> tuple[Verifier, ...]:
        """The keys whose signature on a tree of this size counts."""
        own, bounds = self.signer.verifier, self.bounds
        texts = (*self.trusted, *(key for key, last in bounds.items() if size <= last))
        return (*((own,) if str(own) not in bounds else ()), *map(Verifier.parse, texts))

    def _refuse_unless_beginning(self, head: Checkpoint, older: Checkpoint) -> None:
        if older.size > head.size:
            raise IntegrityFailed(
                f"the ledger {self.origin} was shortened: {head.size} entries are here, {older.size} were signed", hint=_VERIFY
            )
        same = head.root if older.size == head.size else Stored(self.store, head.size).root_of(older.size)
        if same != older.root:
            raise IntegrityFailed(f"the ledger {self.origin} was rewritten below entry {older.size}, or has two heads", hint=_VERIFY)

    def _refuse_headless(self) -> None:
        """Entries without a checkpoint are the leftover of an interrupted first append, or a ledger whose head was taken away."""
        if len(self.store.paths("tile/entries")) > 1:
            raise IntegrityFailed(f"the ledger {self.origin} has entries and no checkpoint", hint="restore `checkpoint` from a copy of it")

    def _tidy(self, size: int) -> None:
        """Drop what an interrupted append left beyond `size`, and the partial tiles that a full one has replaced.

        Looks only at the tiles being filled, so it costs the same whatever the ledger's size.
        """
        for tile in (Tile(None, size // TILE, size % TILE), *edge_tiles(size)):
            if tile.width == 0 and tile.index:
                self.store.discard(Tile(tile.level, tile.index - 1).partial_folder)
            for path in self.store.paths(tile.partial_folder):
                width = path.rpartition("/")[2]
                if width.isdecimal() and int(width) > tile.width:
                    self.store.discard(path)
            if self.store.read(tile.full_path) is not None:
                self.store.discard(tile.full_path)


_VERIFY = "`vitrify ledger verify` names what does not hold; nothing was written"


def _newest(*found: Checkpoint | None) -> Checkpoint | None:
    return max((one for one in found if one is not None), key=lambda one: one.size, default=None)


def _numbered(number: int, data: bytes) -> Entry:
    entry = decode(data)
    if entry.sequence != number:
        raise IntegrityFailed(f"entry {number} of the ledger says that it is number {entry.sequence}", hint=_VERIFY)
    return entry
