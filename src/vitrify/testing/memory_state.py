"""The StateStore in memory: what tests of the stories use, and the twin that the conformance suite holds SQLite against."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import replace

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.release import STATES, foremost
from vitrify.ports import Operation, Release, Slots


class MemoryStateStore:
    """Remembers as long as it lives; safe to share between threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._releases: dict[tuple[str, int], Release] = {}
        self._states: dict[tuple[str, int], dict[str, str]] = {}
        self._hosts: dict[tuple[str, str], Host] = {}
        self._open: dict[str, Operation] = {}
        self._closed: set[str] = set()
        self._slots: dict[tuple[str, str], Slots] = {}
        self._managed: set[tuple[str, str]] = set()
        self._baselines: dict[tuple[str, str], tuple[str, bytes]] = {}
        self._turns: dict[str, int] = {}

    def releases(self, server: str, *, host: str = "") -> tuple[Release, ...]:
        """All releases of a server, newest first; with a host, those that were ever begun there."""
        with self._turn:
            found = [self._seen(*key, host) for key in sorted(self._releases, reverse=True) if key[0] == server]
            return tuple(release for release in found if release is not None)

    def release(self, server: str, number: int, *, host: str = "") -> Release | None:
        """One release; with a host, None where it was never begun there."""
        with self._turn:
            return self._seen(server, number, host)

    def begin(self, release: Release, operation: Operation) -> tuple[Release, Operation]:
        """Open an operation, atomically with its release where that is new (number 0 asks for the next number)."""
        server, host = release.server, operation.host.name
        with self._turn:
            running = self._running(server, host)
            if running is not None and running.id == operation.id:
                return self._known(server, running.release, host), running
            if running is not None:
                raise Busy(f"a {running.kind} of {server} on {host} is not finished", why=f"operation {running.id}")
            if operation.id in self._open or operation.id in self._closed:
                raise VitrifyError(f"there was an operation {operation.id} already")
            kept = self._known(server, release.number) if release.number else self._numbered(release)
            self._releases[server, kept.number] = kept
            self._states.setdefault((server, kept.number), {}).setdefault(host, _checked(release.state))
            self._hosts[server, host] = operation.host
            opened = replace(operation, server=server, release=kept.number)
            self._open[opened.id] = opened
            return self._known(server, kept.number, host), opened

    def advance(self, operation: str, *, step: str, data: JSONObject) -> Operation:
        """Note that a step's outcome is durable; `data` replaces what was kept."""
        with self._turn:
            self._open[operation] = replace(self._open_by_id(operation), step=step, data=data)
            return self._open[operation]

    def finish(self, operation: str, *, slots: Slots | None, states: Mapping[int, str]) -> None:
        """Close an operation, atomically with the slots and release states that it led to."""
        with self._turn:
            closing = self._open_by_id(operation)
            server, host = closing.server, closing.host.name
            checked = {number: _checked(state) for number, state in states.items()}
            for number in (*checked, *((slots.live, slots.previous) if slots else ())):
                if number is not None:
                    self._known(server, number)
            for number, state in checked.items():
                self._states[server, number][host] = state
            if slots is not None:
                self._slots[server, host] = slots
            del self._open[operation]
            self._closed.add(operation)

    def open_operation(self, server: str, host: str) -> Operation | None:
        """The operation on this host that has not been closed, if any."""
        with self._turn:
            return self._running(server, host)

    def note(self, server: str, number: int, note: str) -> None:
        """Add to the notes of a release."""
        with self._turn:
            self._known(server, number)
            found = self._releases[server, number]
            self._releases[server, number] = replace(found, notes=found.notes | {note})

    def open_operations(self, server: str) -> tuple[Operation, ...]:
        """Those of all hosts, by the host's name."""
        with self._turn:
            found = (operation for operation in self._open.values() if operation.server == server)
            return tuple(sorted(found, key=lambda operation: operation.host.name))

    def slots(self, server: str, host: str) -> Slots:
        """Live and previous on this host."""
        return self._slots.get((server, host), Slots())

    def hosts(self, server: str) -> tuple[Host, ...]:
        """Every host on which a release of this server was ever begun, by name."""
        with self._turn:
            return tuple(self._hosts[key] for key in sorted(self._hosts) if key[0] == server)

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
        """Forget it, and the copies of a host that nothing is left on."""
        self._managed.discard((server, host))
        left = {where for _, where in self._managed}
        self._baselines = {key: copy for key, copy in self._baselines.items() if key[0] != host or host in left}

    def _running(self, server: str, host: str) -> Operation | None:
        return next((found for found in self._open.values() if (found.server, found.host.name) == (server, host)), None)

    def _numbered(self, release: Release) -> Release:
        last = max((number for server, number in self._releases if server == release.server), default=0)
        return replace(release, number=last + 1, notes=frozenset())

    def keep_baseline(self, host: str, folder: str, *, seal: str, content: bytes) -> None:
        """Keep this copy of what a host compares a folder with, instead of an older one of the same folder."""
        self._baselines[host, folder] = (seal, content)

    def baselines(self, host: str) -> Mapping[str, str]:
        """Folder -> seal of each copy that is kept for a host."""
        return {folder: seal for (where, folder), (seal, _) in sorted(self._baselines.items()) if where == host}

    def baseline(self, seal: str) -> bytes | None:
        """A copy; None where there is none with this seal."""
        return next((content for known, content in self._baselines.values() if known == seal), None)

    def turn(self, name: str) -> int:
        """A number one greater than the last time for this name."""
        with self._turn:
            self._turns[name] = self._turns.get(name, 0) + 1
            return self._turns[name]

    def _seen(self, server: str, number: int, host: str) -> Release | None:
        found, states = self._releases.get((server, number)), self._states.get((server, number), {})
        there = [state for place, state in states.items() if host in ("", place)]
        return replace(found, state=foremost(there)) if found and there else None

    def _known(self, server: str, number: int, host: str = "") -> Release:
        found = self._seen(server, number, host)
        if found is None:
            raise VitrifyError(f"{server} has no release {number}")
        return found

    def _open_by_id(self, operation: str) -> Operation:
        found = self._open.get(operation)
        if found is None:
            raise Busy(f"operation {operation} is not open")
        return found


def _checked(state: str) -> str:
    if state not in STATES:
        raise VitrifyError(f"{state!r} is not a state of a release")
    return state
