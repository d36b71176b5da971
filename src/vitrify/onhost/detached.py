"""Calls that go on without the connection that asked for them. The call `detached`.

The call runs in a process of its own, in a session of its own, and says what it does into a spool. Whoever asked follows the
spool; whoever asks again for the same operation follows the same process, or hears how it ended. What the changes need from the
control machine is fetched before the process goes its own way.
"""

from __future__ import annotations

import os
import re
import signal
import sys
import time
from dataclasses import replace
from functools import partial
from typing import Callable, Dict, Iterator, Optional, Sequence, Tuple, Union

from vitrify.core.diagnostic import Busy, TargetFailed, UsageInvalid, VitrifyError, error_from_json
from vitrify.core.difference import Change
from vitrify.core.digest import KEYED, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.answer import answered
from vitrify.onhost.calls import Call, find_call
from vitrify.onhost.context import Context
from vitrify.onhost.copied import sealed_in, wanted
from vitrify.onhost.files import write
from vitrify.onhost.scope import Here, Scope, guests_of, objects
from vitrify.onhost.spool import Request, Spool, Spools
from vitrify.onhost.strangers import references

IN_MEMORY = 64 << 20
"""Contents beyond so many bytes wait on the disk, in a file without a name; those that may hold a secret never do."""
_OVERFLOW = "/var/tmp"  # noqa: S108  the file in it has no name


class Luggage:
    """The contents that a process takes along."""

    def __init__(self) -> None:
        self._held: Dict[str, Union[bytes, VitrifyError]] = {}
        self._laid: Dict[str, Tuple[int, int]] = {}
        self._size = 0
        self._overflow = -1

    def take(self, digest: str, found: Union[bytes, VitrifyError]) -> None:
        """Keep one, or why it could not be had."""
        if isinstance(found, VitrifyError) or digest.startswith(KEYED) or self._size + len(found) <= IN_MEMORY:
            self._held[digest] = found
            self._size += 0 if isinstance(found, VitrifyError) else len(found)
            return
        if self._overflow < 0:
            self._overflow = os.open(_OVERFLOW, os.O_TMPFILE | os.O_RDWR | os.O_CLOEXEC, 0o600)
        self._laid[digest] = (os.lseek(self._overflow, 0, os.SEEK_END), len(found))
        write(self._overflow, found)

    def blob(self, digest: str) -> bytes:
        """One of them; TargetFailed where it was not taken along."""
        if digest in self._laid:
            start, size = self._laid[digest]
            return b"".join(self._parts(start, size))
        found = self._held.get(digest)
        if isinstance(found, VitrifyError):
            raise found
        if found is None:
            raise TargetFailed(f"the content {digest} was not sent along", hint="the kind does not name it among its `contents`")
        return found

    def _parts(self, start: int, size: int) -> Iterator[bytes]:
        while size > 0:
            part = os.pread(self._overflow, min(size, 1 << 20), start)
            yield part
            start, size = start + len(part), size - len(part)

    def descriptors(self) -> Tuple[int, ...]:
        """What must stay open for it."""
        return (self._overflow,) if self._overflow >= 0 else ()


def detached(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `detached`: carry out `call` with `arguments`, or follow it where it is under way already.

    The answer is that of the call, and `resumed` where another connection had begun it.
    """
    call, request, inner = _asked(context, arguments)
    scope = inner.get("scope")
    server = (str(scope.get("project")), str(scope.get("server"))) if isinstance(scope, dict) else ("", "")
    spools = Spools(str(arguments.get("spool", "")))
    luggage = Luggage()
    with spools.held():
        spool = _under_way(spools, server, request)
    resumed = spool is not None
    if spool is None:
        _fetch(context, inner, luggage)
        with spools.held():
            spool = _under_way(spools, server, request)  # somebody else may have been quicker
            resumed = spool is not None
            if spool is None:
                work = partial(_work, call, replace(context, blob=luggage.blob, blobs=None), inner)
                spool = _begun(spools.begin(*server, request), luggage, work)
    if resumed:
        context.emit(Event("resumed", Stage.NOTICE, request.operation, f"begun by {request.by} over another connection"))
    try:
        return {**_returned(spool.follow(context.emit)), "resumed": resumed}
    finally:
        spool.close()


def _asked(context: Context, arguments: JSONObject) -> Tuple[Call, Request, JSONObject]:
    name, inner = str(arguments.get("call")), arguments.get("arguments")
    call = find_call(name)
    if call is None or name == "detached" or not isinstance(inner, dict):
        raise UsageInvalid(f"the payload has no call {name!r} that could be detached", hint="the payload and this program differ")
    return call, Request(name, str(arguments.get("operation", "")), str(inner.get("by", "")), int(context.clock())), inner


def _under_way(spools: Spools, server: Tuple[str, str], request: Request) -> Optional[Spool]:
    """The spool of this very operation, if it is under way or has an answer; Busy where another one is under way."""
    spool = spools.find(*server)
    if spool is None:
        return None
    same = (spool.request.call, spool.request.operation) == (request.call, request.operation)
    alive, answer = spool.alive(), spool.answer()
    # An error is no answer to keep: whatever was in the way may be gone, and the journal knows what was done.
    if same and ((alive and answer is None) or "return" in (answer or {})):
        return spool
    spool.close()
    if alive and answer is None:
        since = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(spool.request.since))
        raise Busy(
            f"another {_NAMES.get(spool.request.call, spool.request.call)} of {server[1]} is under way on this host",
            why=f"{spool.request.operation}, begun by {spool.request.by or 'somebody'}, {since}",
            hint="wait until it has ended, and run the same command again; `--wait` does so by itself",
        )
    return None


_NAMES = {"enact": "apply"}
"""What a person calls it."""


def _fetch(context: Context, inner: JSONObject, luggage: Luggage) -> None:
    """Everything that the changes may need, in one question; kinds of others come first, since they know what theirs need."""
    kinds = context.kinds
    if references(inner):
        guests = guests_of(replace(context, blob=luggage.blob), Scope.of(inner), inner)
        kinds = kinds.beside(guests)
        _ask(context, [reference.digest for reference in guests.sent if guests.kept(reference) is None], luggage)
    if sealed_in(inner):
        _ask(context, wanted(Here.at(replace(context, blob=luggage.blob), inner), sealed_in(inner)), luggage)
    changes = [Change.from_json(item) for item in objects(inner, "changes")]
    _ask(context, [digest for change in changes for digest in kinds[change.resource.address.kind].contents(change)], luggage)


def _ask(context: Context, wanted: Sequence[str], luggage: Luggage) -> None:
    digests = tuple(dict.fromkeys(wanted))
    if digests and context.blobs is not None:
        for digest, found in context.blobs(digests):
            luggage.take(digest, found)


def _begun(spool: Spool, luggage: Luggage, work: Callable[[Spool], None]) -> Spool:
    """Let a process of its own do the work; returns the spool as everybody else sees it."""
    child = os.fork()
    if child == 0:
        try:
            os.setsid()
            if os.fork() == 0:
                _leave({spool.life, spool.events, *luggage.descriptors()})
                work(spool)
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    # The lock lives as long as any descriptor that was there when it was taken: ours must go.
    spool.close()
    return Spool.opened(spool.path, spool.request)


_ARCHIVE = re.compile(r"/(?:dev|proc/self)/fd/([0-9]+)")


def _leave(kept: set[int]) -> None:
    """Nothing of the connection stays open: its other side must see that it has ended."""
    signal.signal(signal.SIGHUP, signal.SIG_IGN)
    nothing = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(nothing, descriptor)
    # This program itself may be read from a descriptor, whenever it imports one more of its modules.
    own = {int(match[1]) for match in map(_ARCHIVE.fullmatch, sys.path) if match}
    for name in os.listdir("/proc/self/fd"):
        if int(name) not in {0, 1, 2, *kept, *own}:
            try:
                os.close(int(name))
            except OSError:  # the listing's own
                continue


def _work(call: Call, context: Context, inner: JSONObject, spool: Spool) -> None:
    def emit(event: Event) -> None:
        spool.tell({"event": event.to_json()})

    spool.tell({"answer": answered(lambda: call(replace(context, emit=emit), inner))})


def _returned(answer: JSONObject) -> JSONObject:
    error, value = answer.get("error"), answer.get("return")
    if isinstance(error, dict):
        raise error_from_json(dict(error))
    return value if isinstance(value, dict) else {}


CALLS = {"detached": detached}
