"""Canonical bytes and their digests: the only place that decides what a value's identity is."""

from __future__ import annotations

import hashlib
import hmac
import json
from typing import Dict, Iterable, List, Mapping, Union

JSON = Union[None, bool, int, float, str, List["JSON"], Dict[str, "JSON"]]
JSONObject = Dict[str, JSON]

PLAIN = "sha256:"
KEYED = "hmac-sha256:"


def canonical(value: object) -> bytes:
    """The one byte string of a JSON value: sorted keys, no spaces, UTF-8; floats are refused (they have no one spelling)."""
    _refuse_floats(value)
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False).encode("utf-8", "surrogateescape")


_PLAIN_TYPES = frozenset({str, int, bool, type(None)})
"""Told by their type alone: most values are of these, and asking more of each would take longer than writing them."""


def _refuse_floats(value: object) -> None:
    if isinstance(value, float):
        raise TypeError(f"a float has no canonical form: {value!r}")
    parts: Iterable[object] = ()
    if isinstance(value, (dict, Mapping)):
        parts = value.values()
    elif isinstance(value, (list, tuple)):
        parts = value
    for part in parts:
        if type(part) not in _PLAIN_TYPES:
            _refuse_floats(part)


def digest_of(value: object) -> str:
    """`sha256:…` of a JSON value; key order does not matter, everything else does."""
    return digest_bytes(canonical(value))


def digest_bytes(content: bytes) -> str:
    """`sha256:…` (64 hex digits) of these bytes."""
    return PLAIN + hashlib.sha256(content).hexdigest()


def keyed_digest(content: bytes, *, key: bytes) -> str:
    """`hmac-sha256:…` of these bytes: equal contents can be told equal, but nobody without the key can guess them."""
    return KEYED + hmac.new(key, content, hashlib.sha256).hexdigest()
