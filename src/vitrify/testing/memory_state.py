"""The StateStore in memory: what tests of the stories use, and the twin that the conformance suite holds SQLite against."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from vitrify.core.diagnostic import Busy, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.ports import Operation, Release, Slots

STATES = frozenset({"prepared", "live", "warm", "stopped", "discarded", "aborted"})


class MemoryStateStore:
    """Remembers as long as it lives; safe to share between threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._releases: dict[tuple[str, int], Release] = {}
        self._open: dict[str, Operation] = {}
        self._closed: set[str] = set()
        self._slots: dict[str, Slots] = {}
        self._managed: set[tuple[str, str]] = set()

    def releases(self, server: str) -> tuple[Release, ...]:
        """All releases of a server, newest first."""
        with self._turn:
            return tuple(self._releases[key] for key in sorted(self._releases, reverse=True) if key[0] == server)

    def release(self, server: str, number: int) -> Release | None:
        """One release."""
        return self._releases.get((server, number))

    def begin(self, release: Release, operation: Operation) -> tuple[Release, Operation]:
        """Open an operation, atomically with its release where that is new (number 0 asks for the next number)."""
        with self._turn:
            running = next((found for found in self._open.values() if found.server == release.server), None)
            if running is not None and running.id == operation.id:
                return self._releases[release.server, running.release], running
            if running is not None:
                raise Busy(f"a {running.kind} of {release.server} is not finished", why=f"operation {running.id}")
            if operation.id in self._open or operation.id in self._closed:
                raise VitrifyError(f"there was an operation {operation.id} already")
            kept = self._known(release.server, release.number) if release.number else self._numbered(release)
            opened = replace(operation, server=release.server, release=kept.number)
            self._releases[kept.server, kept.number] = kept
            self._open[opened.id] = opened
            return kept, opened

    def advance(self, operation: str, *, step: str, data: JSONObject) -> Operation:
        """Note that a step's outcome is durable; `data` replaces what was kept."""
        with self._turn:
            self._open[operation] = replace(self._open_by_id(operation), step=step, data=data)
            return self._open[operation]

    def finish(self, operation: str, *, slots: Slots | None, states: Mapping[int, str]) -> None:
        """Close an operation, atomically with the slots and release states that it led to."""
        with self._turn:
            server = self._open_by_id(operation).server
            changed = {(server, number): _in_state(self._known(server, number), state) for number, state in states.items()}
            for number in (slots.live, slots.previous) if slots else ():
                if number is not None:
                    self._known(server, number)
            self._releases.update(changed)
            if slots is not None:
                self._slots[server] = slots
            del self._open[operation]
            self._closed.add(operation)

    def open_operation(self, server: str) -> Operation | None:
        """The operation that has not been closed, if any."""
        with self._turn:
            return next((found for found in self._open.values() if found.server == server), None)

    def note(self, server: str, number: int, note: str) -> None:
        """Add to the notes of a release."""
        with self._turn:
            found = self._known(server, number)
            self._releases[server, number] = replace(found, notes=found.notes | {note})

    def slots(self, server: str) -> Slots:
        """Live and previous."""
        return self._slots.get(server, Slots())

    def servers(self) -> tuple[str, ...]:
        """Every server that has a release, by name."""
        with self._turn:
            return tuple(sorted({server for server, _ in self._releases}))

    def managed(self) -> tuple[tuple[str, str], ...]:
        """Server and host of every place that is changed in place, in order."""
        return tuple(sorted(self._managed))

    def manage(self, server: str, host: str) -> None:
        """Note such a place."""
        self._managed.add((server, host))

    def forget(self, server: str, host: str) -> None:
        """Forget it."""
        self._managed.discard((server, host))

    def _numbered(self, release: Release) -> Release:
        last = max((number for server, number in self._releases if server == release.server), default=0)
        return _in_state(replace(release, number=last + 1, notes=frozenset()), release.state)

    def _known(self, server: str, number: int) -> Release:
        found = self._releases.get((server, number))
        if found is None:
            raise VitrifyError(f"{server} has no release {number}")
        return found

    def _open_by_id(self, operation: str) -> Operation:
        found = self._open.get(operation)
        if found is None:
            raise Busy(f"operation {operation} is not open")
        return found


def _in_state(release: Release, state: str) -> Release:
    if state not in STATES:
        raise VitrifyError(f"{state!r} is not a state of a release")
    return replace(release, state=state)
