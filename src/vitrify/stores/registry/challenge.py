"""Reads what a registry says when it wants to know who asks: the header `WWW-Authenticate`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

_SCHEME: Final = re.compile(r"\s*(?:,\s*)*([A-Za-z][A-Za-z0-9-]*)(?:\s+|$)")
_PARAMETER: Final = re.compile(r'\s*([A-Za-z0-9_-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))\s*(?:,|$)')
_LONGEST: Final = 8192


@dataclass(frozen=True)
class Challenge:
    """One way to be let in: `basic` or `bearer`, with what stands behind it."""

    scheme: str
    parameters: Mapping[str, str] = field(default_factory=dict)


def challenges(header: str) -> tuple[Challenge, ...]:
    """Every way that a header offers, in its order; what cannot be read ends the list."""
    found: list[Challenge] = []
    rest = header[:_LONGEST]
    while match := _SCHEME.match(rest):
        rest, parameters = rest[match.end() :], {}
        while inner := _PARAMETER.match(rest):
            value = inner[2] if inner[2] is not None else inner[3]
            parameters[inner[1].lower()] = re.sub(r"\\(.)", r"\1", value)
            rest = rest[inner.end() :]
        found.append(Challenge(match[1].lower(), parameters))
    return tuple(found)
