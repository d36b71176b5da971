"""One record of the ledger, and the one byte string that it is: canonical JSON (RFC 8785) of at most 65,535 bytes."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

from vitrify.core.diagnostic import IntegrityFailed, VitrifyError
from vitrify.core.digest import JSON, JSONObject

SCHEMA = "vitrify.dev/entry/v1"
LARGEST = 65_535
"""A bundle gives each entry's length in two bytes."""

_KIND = re.compile(r"[a-z][a-z0-9]*(?:[._-][a-z0-9]+)*")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Entry:
    """What happened: entry number `sequence` (from 0), when by the author's clock, who says so, a dotted kind and its data."""

    sequence: int
    at: str
    author: str
    kind: str
    body: JSONObject
    actor: JSONObject = field(default_factory=dict)
    """Who was at the keyboard, on which machine, in which pipeline; empty in entries that were written before anybody asked."""

    def encode(self) -> bytes:
        """The canonical bytes; a `VitrifyError` where they cannot be written."""
        if not _KIND.fullmatch(self.kind):
            raise VitrifyError(
                f"{self.kind!r} is no kind of ledger entry", why="kinds are lower-case words joined by dots, such as switch.intended"
            )
        _refuse_floats(self.body, "body")
        _refuse_floats(self.actor, "actor")
        data = _canonical(self._to_json(), self.kind)
        if len(data) > LARGEST:
            raise VitrifyError(
                f"a ledger entry of kind {self.kind} would have {len(data):,} bytes",
                why=f"the ledger takes at most {LARGEST:,} bytes an entry",
                hint="record the digest of what is large, and keep the content as a blob",
            )
        return data

    def _to_json(self) -> JSONObject:
        return {
            **({"actor": self.actor} if self.actor else {}),
            "schema": SCHEMA,
            "sequence": self.sequence,
            "at": self.at,
            "author": self.author,
            "kind": self.kind,
            "body": self.body,
        }


def _canonical(value: JSONObject, kind: str) -> bytes:
    import rfc8785

    try:
        return rfc8785.dumps(value)
    except (ValueError, RecursionError) as error:
        # Lone surrogates (names that are not UTF-8) and numbers beyond 2**53 have no form that every reader agrees on.
        raise VitrifyError(f"a ledger entry of kind {kind} cannot be written as canonical JSON", why=str(error)) from None


def _refuse_floats(value: object, where: str) -> None:
    if isinstance(value, float):
        raise VitrifyError(f"a ledger entry holds the number {value!r} at {where}", why="the ledger holds whole numbers only")
    if isinstance(value, Mapping):
        for key, part in value.items():
            _refuse_floats(part, f"{where}.{key}")
    elif isinstance(value, (list, tuple)):
        for at, part in enumerate(value):
            _refuse_floats(part, f"{where}[{at}]")


def decode(data: bytes) -> Entry:
    """The entry in these bytes; IntegrityFailed where they are none."""
    try:
        found: JSON = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise IntegrityFailed("a ledger entry is not JSON", why=str(error)) from None
    if not isinstance(found, dict) or found.get("schema") != SCHEMA:
        raise IntegrityFailed(f"a ledger entry does not say schema {SCHEMA}")
    actor = found.get("actor", {})
    match found:
        case {"sequence": int(sequence), "at": str(at), "author": str(author), "kind": str(kind), "body": dict(body)}:
            return Entry(sequence, at, author, kind, body, actor if isinstance(actor, dict) else {})
    raise IntegrityFailed("a ledger entry lacks one of sequence, at, author, kind and body")


def timestamp(seconds: float) -> str:
    """Seconds since the epoch as RFC 3339 in UTC, cut to whole milliseconds."""
    moment = _EPOCH + timedelta(milliseconds=int(seconds * 1000))
    return moment.strftime("%Y-%m-%dT%H:%M:%S.") + f"{moment.microsecond // 1000:03d}Z"
