"""An approval: one author's signature that binds a plan by its digest, for one project, at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from vitrify.core.diagnostic import IntegrityFailed
from vitrify.ledger.checkpoint import Signer, Verifier, note_text, signature_lines
from vitrify.ledger.entry import timestamp

_DIGEST = r"sha256:[0-9a-f]{64}"
_TEXT = re.compile(
    rf"vitrify\.dev/approval/([0-9a-f]{{16}})\nplan ({_DIGEST})\ndeclaration ({_DIGEST})\n"
    r"at ([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{3}Z)\n",
    re.ASCII,
)


@dataclass(frozen=True)
class Subject:
    """What is approved: a plan of a project, and the declaration that it follows, by their digests."""

    project_id: str
    plan: str
    declaration: str


@dataclass(frozen=True)
class Approval:
    """Whose signature there is, when it was made, and why it does not count ("" where it does)."""

    key: str
    at: str
    wrong: str = ""


def approve(subject: Subject, signer: Signer, *, now: float) -> str:
    """The signed note by which this signer approves."""
    lines = f"plan {subject.plan}\ndeclaration {subject.declaration}\nat {timestamp(now)}\n"
    return signer.sign(f"vitrify.dev/approval/{subject.project_id}\n{lines}".encode()).decode()


def judged(notes: Sequence[str], subject: Subject, keys: Sequence[str]) -> tuple[Approval, ...]:
    """Each of these notes, judged by the keys (text form) that may approve. Whatever was written into them, nothing raises."""
    trusted = {(key.name, key.id): key for key in map(Verifier.parse, keys)}
    return tuple(_judged(note.encode("utf-8", "replace"), subject, trusted) for note in notes)


def _judged(note: bytes, subject: Subject, trusted: dict[tuple[str, bytes], Verifier]) -> Approval:
    try:
        text = note_text(note)
        lines = signature_lines(note[len(text) + 1 :])
    except IntegrityFailed:
        return Approval("somebody", "", "it is no signed note")
    match = _TEXT.fullmatch(text.decode())
    name, made = lines[0]
    shown = f"{name}+{made[:4].hex()}"
    if match is None or len(lines) != 1:
        return Approval(shown, "", "it is no approval")
    key, at = trusted.get((name, made[:4])), match[4]
    if key is None:
        return Approval(shown, at, "the key may not approve: it is unknown, expired or given up")
    if not key.signed(text, made[4:]):
        return Approval(shown, at, "its signature is wrong")
    if match.groups()[:3] != (subject.project_id, subject.plan, subject.declaration):
        return Approval(shown, at, "it is for another plan")
    return Approval(str(key), at)
