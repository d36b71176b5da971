"""Who needs which image, over all projects of a home folder: they share one store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from vitrify.core.retention import Needs, Use
from vitrify.ports import StateStore


def needs(projects: Path) -> Needs:
    """Every release of every project. What is remembered of a project has to be readable: an image of it may be live."""
    from vitrify.stores.sqlite import SqliteStateStore

    found: list[Use] = []
    for place in sorted(place.parent for place in projects.glob("*/state.db")):
        with SqliteStateStore(place / "state.db") as state:
            found += _uses(place.name, state)
    return Needs(tuple(found))


def _uses(project: str, state: StateStore) -> Iterator[Use]:
    for server in state.servers():
        begun = {operation.release for operation in state.open_operations(server)}
        for release in state.releases(server):
            yield Use(release.image, server, release.number, release.state, open=release.number in begun, project=project)
