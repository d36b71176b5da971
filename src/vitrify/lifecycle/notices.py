"""Tells others of what the ledger was told: beside the story, never in its way, and never the reason for its failure.

A notice is sent once its entry is durable, by a thread of its receiver's own. What could not be delivered is told here, and no
more: the ledger holds all of it, and a process that is killed takes with it what was not sent yet.
"""

from __future__ import annotations

import json
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from queue import SimpleQueue
from typing import Final, Protocol

from vitrify.core.diagnostic import VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, Event, Stage
from vitrify.core.notice import EVENTS, Notice
from vitrify.ledger.entry import Entry
from vitrify.lifecycle.world import Ledger

SCHEMA: Final = "vitrify.dev/notice/v1"
PATIENCE = 15.0
"""Seconds for which the end of a command waits for what is still being sent."""
FIRST_PAUSE = 0.5
"""Seconds between the first two attempts; each further pause is twice as long."""

SENTENCES: Final[Mapping[str, str]] = {
    "release.done": "release {release} of {server} is live",
    "release.failed": "release {release} of {server} failed: {reason}",
    "replace.done": "instances of {server} release {release} were replaced",
    "replace.failed": "instances of {server} release {release} could not be replaced: {reason}",
    "rollback.done": "{server} was rolled back to release {release}",
    "rollback.failed": "{server} could not be rolled back to release {release}: {reason}",
    "switch.back": "{server} release {release} was switched back: {reason}",
    "apply.done": "{server} was applied on {host}",
    "apply.failed": "the apply of {server} failed on {host}",
    "undo.done": "run {run} of {server} was undone on {host}",
    "undo.failed": "run {run} of {server} could not be undone on {host}",
    "retire.done": "{server} was retired",
    "join.done": "release {release} of {server} is live on {host} as well",
    "join.failed": "release {release} of {server} failed on {host}: {reason}",
    "expand.done": "{server} was expanded for release {release}",
    "contract.done": "{server} release {release} was contracted: nothing goes back behind it",
    "contract.skipped": "the contract of {server} release {release} will never be carried out",
    "contract.failed": "the contract of {server} release {release} failed: {reason}",
    "hook.failed": "a hook of {server} failed, {moment} {phase}: {reason}",
    "health.failed": "{server} release {release} does not pass its health check on {host}: {reason}",
    "health.left": "{server} release {release} is ill on {host}, and left as it is: {reason}",
    "health.passed": "{server} release {release} passes its health check on {host} again",
    "accept.done": "{server} was accepted as it is on {host}",
    "lease.released": "the lease of {server} was taken away on {host}",
    "key.rotated": "a key of an author was replaced",
    "key.revoked": "a key counts no more: it was {why}",
    "ledger.recovered": "the ledger was put together again: {size} entries, {before} of them were here",
    "finding": "{server} differs from what was declared: {path}",
    "exec.intended": "{by} runs a command on {server}",
}


@dataclass(frozen=True)
class Failure:
    """Why a notice was not delivered. `again` says whether another attempt may help."""

    why: str
    again: bool = True


class Send(Protocol):
    """Delivers a notice; None where it was."""

    def __call__(self, notice: Notice, body: bytes, /) -> Failure | None:
        """One attempt. Never raises, and takes little longer than `notice.timeout`."""


def body(entry: Entry, project: str) -> JSONObject:
    """What a receiver gets, as `docs/formats/hooks.md` specifies."""
    return {
        "schema": SCHEMA,
        "project": project,
        "event": entry.kind,
        "text": sentence(entry, project),
        "entry": entry.sequence,
        "at": entry.at,
        "by": entry.author,
        "server": entry.body.get("server"),
        "body": dict(entry.body),
    }


def sentence(entry: Entry, project: str) -> str:
    """The same for a person."""
    known: defaultdict[str, JSON] = defaultdict(lambda: "?", {name: value for name, value in entry.body.items() if value is not None})
    words = SENTENCES.get(entry.kind, f"{entry.kind} of {{server}}")
    return f"{project}: {words.format_map(known)}"


@dataclass(frozen=True)
class Ways:
    """How notices go out, and where it is told that one did not."""

    send: Send
    emit: Emit


class Telling:
    """The ledger, which tells those who want to know. Who they are is asked when there is something to tell for the first time."""

    def __init__(self, ledger: Ledger, receivers: Callable[[], Iterable[Notice]], *, project: Callable[[], str], ways: Ways) -> None:
        self._ledger, self._receivers, self._project, self._ways = ledger, receivers, project, ways
        self._lines: list[_Line] | None = None
        self._waiting: list[Entry] = []

    @property
    def size(self) -> int:
        """How many entries there are."""
        return self._ledger.size

    def entries(self, start: int = 0) -> Iterable[Entry]:
        """The entries from `start` on, in order."""
        return self._ledger.entries(start)

    def append(self, kind: str, body: JSONObject) -> Entry:
        """Add an entry, and have it told."""
        entry = self._ledger.append(kind, body)
        self.tell(entry)
        return entry

    def prepare(self) -> None:
        """Ask now who is told: from then on each entry is told at once, of whatever kind."""
        self._known()

    def tell(self, entry: Entry) -> None:
        """Have an entry told that was added to this ledger by other means."""
        self._waiting.append(entry)
        # Who is told is not looked up in the middle of what is in a hurry: few ask for steps, and those are told with the outcome.
        if entry.kind in EVENTS or self._lines is not None:
            self._send()

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, []
        for line in self._known(else_told=any(entry.kind in EVENTS for entry in waiting)) if waiting else ():
            self._lament(line.name, line.failures())  # of a process that goes on for long, nobody waits for the end
            for entry in waiting:
                line.take(entry)

    def _known(self, *, else_told: bool = True) -> list[_Line]:
        if self._lines is None:
            try:
                self._lines = [_Line(one, self._project(), self._ways.send) for one in self._receivers()]
            except VitrifyError as error:
                if not else_told:
                    return []  # nobody may have wanted to know at all
                self._lines = []
                self._lament("everybody", [f"nobody was told: {error.diagnostics[0].summary}"])
        return self._lines

    def settle(self, *, seconds: float = PATIENCE) -> None:
        """Wait for what is still being sent, so long and no longer, and tell what was not delivered."""
        self._send()
        until = time.monotonic() + seconds
        for line in self._lines or ():
            self._lament(line.name, line.ended(until))

    def _lament(self, who: str, failures: Iterable[str]) -> None:
        for why in failures:
            self._ways.emit(Event("notice", Stage.FAILED, who, why))


class _Line:
    """What goes to one receiver."""

    def __init__(self, notice: Notice, project: str, send: Send) -> None:
        self._notice, self._project, self._send = notice, project, send
        self._under_way: _Batch | None = None
        self.name = notice.name

    def take(self, entry: Entry) -> None:
        if self._notice.wants(entry.kind, entry.body):
            self._under_way = self._under_way or _Batch(self._notice, self._send)
            self._under_way.add(_called(entry), json.dumps(body(entry, self._project)).encode())

    def failures(self) -> list[str]:
        """What is known already not to have been delivered, and why."""
        return self._under_way.failures() if self._under_way else []

    def ended(self, until: float) -> list[str]:
        """What was not delivered, and why, once all is sent or the time is over."""
        batch, self._under_way = self._under_way, None
        return batch.ended(until) if batch else []


class _Batch:
    """What is on its way to one receiver, in order, sent by a thread of its own until somebody asks how it ended."""

    def __init__(self, notice: Notice, send: Send) -> None:
        self._notice, self._send = notice, send
        self._queue: SimpleQueue[tuple[str, bytes] | None] = SimpleQueue()
        self._over = threading.Event()
        self._failed: SimpleQueue[str] = SimpleQueue()
        self._waiting: dict[str, None] = {}
        # A daemon: what does not come to its end must not keep the command from its own.
        self._thread = threading.Thread(target=self._work, name=notice.name, daemon=True)
        self._thread.start()

    def add(self, called: str, content: bytes) -> None:
        self._waiting[called] = None
        self._queue.put((called, content))

    def ended(self, until: float) -> list[str]:
        self._queue.put(None)
        with suppress(KeyboardInterrupt):  # whoever does not want to wait need not
            self._thread.join(max(0.0, until - time.monotonic()))
        self._over.set()
        given_up = [f"{called} was given up: it took too long" for called in list(self._waiting)] if self._thread.is_alive() else []
        return [*self.failures(), *given_up]

    def failures(self) -> list[str]:
        return [self._failed.get() for _ in range(self._failed.qsize())]

    def _work(self) -> None:
        while not self._over.is_set() and (due := self._queue.get()) is not None:
            called, content = due
            why = self._delivered(content)
            if why:
                self._failed.put(f"{called} was not delivered: {why}")
            self._waiting.pop(called, None)

    def _delivered(self, content: bytes) -> str:
        """Why it could not be delivered; "" where it was."""
        pause = FIRST_PAUSE
        for left in range(self._notice.retries, -1, -1):
            failure = self._send(self._notice, content)
            if failure is None:
                return ""
            if not (left and failure.again) or self._over.wait(pause):
                return failure.why
            pause *= 2
        return ""


def _called(entry: Entry) -> str:
    return f"{entry.kind} (entry {entry.sequence})"
