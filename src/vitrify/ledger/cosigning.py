"""Asks witnesses to cosign the published checkpoint, and adds to it what they say. A repeated call asks those that are missing."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from typing import Protocol

from vitrify.core.diagnostic import IntegrityFailed, TargetUnreachable
from vitrify.core.ledger_report import Cosigned
from vitrify.ledger.checkpoint import note_text, signature_lines
from vitrify.ledger.cosignature import WitnessKey
from vitrify.ledger.log import CHECKPOINT, Log
from vitrify.ledger.witness import SIZE, Answer

_TRIES = 3
"""The first learns what the witness knows; one more, where somebody else's checkpoint came between."""


class WitnessDoor(Protocol):
    """A witness, as a ledger reaches it."""

    @property
    def key(self) -> WitnessKey:
        """Whose cosignatures it gives."""

    def add_checkpoint(self, request: bytes) -> Answer:
        """Its answer to this request; TargetUnreachable where there is none."""


def cosign(log: Log, witnesses: Sequence[WitnessDoor]) -> Cosigned:
    """Have the published checkpoint cosigned by each of these witnesses that has not done so; whoever cannot be asked is told."""
    note = log.store.read(CHECKPOINT)
    if note is None:
        return Cosigned(0)
    head, text, by, missing, lines = log.head(), note_text(note), [], [], b""
    for witness in witnesses:
        line = witness.key.among(text, note[len(text) + 1 :])
        try:
            lines += b"" if line else _asked(log, witness, note)
            by.append(witness.key.name)
        except (IntegrityFailed, TargetUnreachable) as error:
            missing.append((witness.key.name, error.diagnostics[0].summary))
    if lines:
        _add(log, text, lines)
    return Cosigned(head.size, tuple(by), tuple(missing))


def _asked(log: Log, witness: WitnessDoor, note: bytes) -> bytes:
    text, size, old = note_text(note), log.size, 0
    for _ in range(_TRIES):
        proof = b"".join(base64.b64encode(part) + b"\n" for part in log.consistency(old))
        answer = witness.add_checkpoint(b"old %d\n" % old + proof + b"\n" + note)
        if answer.status == 409 and answer.media.startswith(SIZE):
            known = answer.body.strip()
            if not known.isdigit() or int(known) > size or int(known) == old:
                seen = known.decode("ascii", "replace")
                raise IntegrityFailed(f"the witness {witness.key.name} saw another ledger than this one: {seen} entries, not {size}")
            old = int(known)
            continue
        if answer.status == 200 and (line := witness.key.among(text, answer.body)):
            return line
        why = "its cosignature is wrong" if answer.status == 200 else answer.body.decode("utf-8", "replace").strip()[:200]
        raise IntegrityFailed(f"the witness {witness.key.name} did not cosign ({answer.status}): {why}")
    raise IntegrityFailed(f"the witness {witness.key.name} has no settled view of this ledger")


def _add(log: Log, text: bytes, lines: bytes) -> None:
    with log.store.lock():
        published = log.store.read(CHECKPOINT)
        if published is None or note_text(published) != text:
            return  # somebody appended meanwhile: their checkpoint is to be cosigned, and they will see to that
        known = {name for name, _ in signature_lines(published[len(text) + 1 :])}
        new = b"".join(line for line in lines.splitlines(keepends=True) if line.split(b" ")[1].decode() not in known)
        log.store.write(CHECKPOINT, published + new)
