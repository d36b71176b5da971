"""Drift that becomes what is declared: which files of the project change, and how. Pure."""

from __future__ import annotations

import difflib
from collections.abc import Iterator
from dataclasses import dataclass

from vitrify.core.digest import JSONObject


@dataclass(frozen=True)
class Patch:
    """One file of the project as it is, and as it would be."""

    file: str
    before: str
    after: str

    @property
    def lines(self) -> Iterator[str]:
        """The unified diff, line by line."""
        before, after = (text.splitlines(keepends=True) for text in (self.before, self.after))
        for line in difflib.unified_diff(before, after, self.file, self.file, n=3):
            yield line.rstrip("\n")


@dataclass(frozen=True)
class Adoption:
    """What would make the declaration say what is there."""

    server: str
    host: str
    path: str
    address: str
    fields: tuple[str, ...]
    """What of the resource is declared otherwise; nothing where it was declared by nobody, and is added."""
    patches: tuple[Patch, ...]
    also: tuple[str, ...] = ()
    """Other servers that use the very same resource, and change with it."""

    def to_json(self) -> JSONObject:
        """The form of `audit adopt -o json`."""
        return {
            "server": self.server,
            "host": self.host,
            "path": self.path,
            "address": self.address,
            "fields": [*self.fields],
            "also": [*self.also],
            "patches": [{"file": patch.file, "diff": "\n".join(patch.lines)} for patch in self.patches],
        }
