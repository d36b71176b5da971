"""Whether an entry is one of those that somebody looks for. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from fnmatch import fnmatchcase

from vitrify.core.ledger_report import Asked
from vitrify.ledger.entry import Entry


def fits(entry: Entry, asked: Asked) -> bool:
    """Whether it fits everything that is asked; what is not asked fits always."""
    about = (
        (asked.kind, fnmatchcase(entry.kind, asked.kind)),
        (asked.server, asked.server in _named(entry, "server")),
        (asked.host, asked.host in _named(entry, "host")),
        (asked.actor, asked.actor in _actors(entry)),
        (asked.text, asked.text in entry.encode().decode()),
    )
    return all(holds for wanted, holds in about if wanted)


def _named(entry: Entry, what: str) -> Iterator[object]:
    """What an entry names by this word: one, several, or in a list of objects."""
    yield entry.body.get(what)
    several = entry.body.get(f"{what}s")
    yield from several if isinstance(several, list) else ()


def _actors(entry: Entry) -> Iterator[object]:
    """Everything that says who: the key's name, the person, the machine, the pipeline and who started it."""
    yield entry.author
    pipeline = entry.actor.get("ci")
    for said in (entry.actor, pipeline if isinstance(pipeline, dict) else {}):
        yield from (value for value in said.values() if isinstance(value, str))
