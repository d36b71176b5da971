"""A witness (C2SP tlog-witness): remembers the newest checkpoint of each ledger that it knows, and cosigns what continues it.

What is cosigned is durable first, and looked up, compared and kept under one lock: no order of requests rolls it back.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.ledger.checkpoint import Checkpoint, Time, Verifier, claimed_size, decoded, empty, note_text, open_checkpoint
from vitrify.ledger.cosignature import Cosigner
from vitrify.ledger.proof import extends
from vitrify.ledger.stored import LedgerStore
from vitrify.ledger.tree import HASH

LARGEST = 1 << 16
"""Bytes of a request; 63 hashes and a note with many signatures take less."""
MOST_HASHES = 63
PLAIN, SIZE = "text/plain; charset=utf-8", "text/x.tlog.size"
_OLD = re.compile(rb"old (0|[1-9][0-9]{0,18})")


@dataclass(frozen=True)
class Answer:
    """What HTTP says."""

    status: int
    body: bytes = b""
    media: str = PLAIN


@dataclass(frozen=True)
class Known:
    """Whose signatures a witness takes for one ledger: public keys in text form, and of former ones up to which size."""

    authors: tuple[str, ...]
    bounds: Mapping[str, int] = field(default_factory=dict)

    def trusted(self, size: int) -> tuple[Verifier, ...]:
        """The keys that count for a tree of this size."""
        texts = [key for key in self.authors if key not in self.bounds] + [key for key, last in self.bounds.items() if size <= last]
        return tuple(map(Verifier.parse, texts))


class _Refused(Exception):
    def __init__(self, answer: Answer) -> None:
        super().__init__(answer.body)
        self.answer = answer


@dataclass(frozen=True)
class Witness:
    """One witness: its key, the ledgers it knows by origin, and the store in which it keeps what it cosigned."""

    cosigner: Cosigner
    ledgers: Mapping[str, Known]
    store: LedgerStore
    clock: Time

    def add_checkpoint(self, request: bytes) -> Answer:
        """The answer to `POST /add-checkpoint`: 200 with the cosignature, or why there is none. Never raises on what it is sent."""
        try:
            old, proof, note = _parsed(request)
            checkpoint = self._signed(note)
            if old > checkpoint.size:
                return Answer(400, b"the old size is larger than the checkpoint's\n")
            with self.store.lock():
                self._refuse_unless_continuing(old, proof, checkpoint)
                if old != checkpoint.size or self.store.read(_place(checkpoint.origin)) is None:
                    self.store.write(_place(checkpoint.origin), note)
                return Answer(200, self.cosigner.line(note_text(note), at=self.clock.now()))
        except _Refused as refused:
            return refused.answer
        except IntegrityFailed as error:
            return Answer(400, f"{error.diagnostics[0].summary}\n".encode())

    def latest(self, origin_hash: str) -> Answer:
        """The answer to `GET /HASH/checkpoint`: the newest that was cosigned of the ledger whose origin has this SHA-256."""
        origin = next((name for name in self.ledgers if sha256(name.encode()).hexdigest() == origin_hash), None)
        note = self.store.read(_place(origin)) if origin is not None else None
        return Answer(404, b"no such ledger was cosigned here\n") if note is None else Answer(200, note)

    def _signed(self, note: bytes) -> Checkpoint:
        origin = note_text(note).split(b"\n", 1)[0].decode()
        known = self.ledgers.get(origin)
        if known is None:
            raise _Refused(Answer(404, b"this witness does not know the ledger\n"))
        trusted = known.trusted(claimed_size(note))
        try:
            return open_checkpoint(note, origin=origin, trusted=trusted)
        except IntegrityFailed as error:
            raise _Refused(Answer(403, f"{error.diagnostics[0].summary}\n".encode())) from None

    def _kept(self, origin: str) -> Checkpoint:
        note = self.store.read(_place(origin))
        # What is kept was checked before it was: keys that counted then may be former ones by now.
        return empty(origin) if note is None else _read(note_text(note), origin)

    def _refuse_unless_continuing(self, old: int, proof: Sequence[bytes], checkpoint: Checkpoint) -> None:
        kept = self._kept(checkpoint.origin)
        if old != kept.size:
            raise _Refused(Answer(409, b"%d\n" % kept.size, SIZE))
        if old == checkpoint.size and kept.root != checkpoint.root:
            raise _Refused(Answer(409, b"%d\n" % kept.size, SIZE))
        if not extends(kept.root, old, root=checkpoint.root, size=checkpoint.size, proof=proof):
            raise _Refused(Answer(422, b"the proof does not show that this checkpoint continues the last one\n"))


def _place(origin: str) -> str:
    return f"{sha256(origin.encode()).hexdigest()}/checkpoint"


def _read(text: bytes, origin: str) -> Checkpoint:
    lines = text.split(b"\n")
    return Checkpoint(origin, int(lines[1]), decoded(lines[2].decode()) or b"")


def _parsed(request: bytes) -> tuple[int, tuple[bytes, ...], bytes]:
    """Old size, proof and note of a request; `_Refused` with 400 where it is none."""
    head, blank, note = request.partition(b"\n\n")
    first, *lines = head.split(b"\n")
    match = _OLD.fullmatch(first)
    hashes = [decoded(line.decode("latin-1")) for line in lines]
    whole = [found for found in hashes if found is not None and len(found) == HASH]
    if not blank or match is None or len(whole) < len(lines) or len(lines) > MOST_HASHES or len(request) > LARGEST:
        raise _Refused(Answer(400, b"the request is not an old size, a proof and a checkpoint\n"))
    return int(match[1]), tuple(whole), note
