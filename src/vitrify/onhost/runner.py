"""The payload's main loop: takes calls from its standard input, one at a time, and answers on its standard output."""

from __future__ import annotations

import os
import select
import sys
import time
from contextlib import suppress
from dataclasses import replace
from typing import Callable, Iterator, Optional, Sequence, Tuple, Union

from vitrify.core.diagnostic import TargetFailed, UsageInvalid, VitrifyError, error_from_json
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached
from vitrify.core.wire import VERSION, Blob, Message, encode, receive
from vitrify.onhost.answer import answered
from vitrify.onhost.calls import Call, find_call
from vitrify.onhost.context import Context
from vitrify.onhost.dead_man import ALONE, alone
from vitrify.onhost.failpoint import from_environment
from vitrify.onhost.files import write


class Channel:
    """Frames to and from the control machine."""

    def __init__(self, read: Callable[[int], bytes], send: Callable[[bytes], object], *, source: int = -1) -> None:
        self._read = read
        self._send = send
        self.source = source

    def tell(self, message: Message) -> None:
        """Send one frame. A channel that broke does not stop a call that was started: it ends where it needs an answer."""
        with suppress(BrokenPipeError):
            self._send(encode(message))

    def hear(self) -> Message:
        """The next frame; EOFError where the other side is gone."""
        return receive(self._read)


class Runner:
    """Answers calls until the channel ends."""

    def __init__(self, channel: Channel, kinds: Kinds, *, calls: Callable[[str], Optional[Call]], reached: Reached) -> None:
        self._channel = channel
        self._kinds = kinds
        self._calls = calls
        self._reached = reached

    def serve(self, meanwhile: Callable[[], None] = lambda: None) -> None:
        """Say who we are, then take call after call; returns at the end of the channel. `meanwhile` may be done before the first."""
        hello: JSONObject = {"version": VERSION, "python": sys.version.split()[0]}
        self._channel.tell({"hello": hello})
        meanwhile()
        while True:
            try:
                message = self._channel.hear()
                if isinstance(message, dict):
                    self._channel.tell(self._answer(message))
            except EOFError:
                return

    def _answer(self, message: JSONObject) -> JSONObject:
        number = message.get("id")
        return {"id": number, **answered(lambda: self._call(message, number))}

    def _call(self, message: JSONObject, number: JSON) -> JSONObject:
        name, arguments = str(message.get("call")), message.get("arguments")
        call = self._calls(name)
        if call is None or not isinstance(arguments, dict):
            raise UsageInvalid(f"the payload has no call {name!r}", hint="the payload and this program differ")

        def emit(event: Event) -> None:
            self._channel.tell({"id": number, "event": event.to_json()})

        def blob(digest: str) -> bytes:
            ((_, found),) = self._ask(number, [digest])
            if isinstance(found, VitrifyError):
                raise found
            return found

        def blobs(digests: Sequence[str]) -> Iterator[Tuple[str, Union[bytes, VitrifyError]]]:
            return self._ask(number, digests)

        surroundings = Context(emit=emit, blob=blob, reached=self._reached, kinds=self._kinds, clock=time.time)
        context = replace(surroundings, blobs=blobs, channel=self._channel.source)
        return call(context, arguments)

    def _ask(self, number: JSON, digests: Sequence[str]) -> Iterator[Tuple[str, Union[bytes, VitrifyError]]]:
        """Each content in turn, or why it cannot be had; all of them are asked for at once."""
        self._channel.tell({"id": number, "need": list(digests)})
        for digest in digests:
            yield digest, self._one(digest)

    def _one(self, digest: str) -> Union[bytes, VitrifyError]:
        answer = self._channel.hear()
        if isinstance(answer, Blob) and answer.digest == digest:
            return answer.content
        refusal = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(refusal, dict):
            return error_from_json(dict(refusal))
        return TargetFailed(f"the content {digest} was asked for and something else came", hint="the payload and this program differ")


LIKELY = ("directory", "file", "package", "user", "line", "service", "unit")
"""The kinds that most servers declare."""


def get_ready(kinds: Kinds, *, asked: Callable[[], bool]) -> None:
    """Read what a look at most hosts needs while the other side still reads its declaration; ends as soon as it asks."""
    if not asked():
        find_call("observe")
    for name in LIKELY:
        if asked():
            return
        kinds[name]  # the first look at a kind is what imports it


def main(kinds: Kinds) -> None:
    """Serve the process's own standard input and output, which nothing else may touch from here on."""
    if sys.argv[1:2] == [ALONE]:
        sys.exit(alone(sys.argv[2], kinds))
    os.umask(0o022)
    source, target = os.dup(0), os.dup(1)
    nothing = os.open(os.devnull, os.O_RDONLY)
    os.dup2(nothing, 0)
    os.dup2(2, 1)

    def read(size: int) -> bytes:
        parts = []
        while size > 0:
            part = os.read(source, min(size, 1 << 20))
            if not part:
                break
            parts.append(part)
            size -= len(part)
        return b"".join(parts)

    def meanwhile() -> None:
        get_ready(kinds, asked=lambda: bool(select.select([source], [], [], 0)[0]))

    channel = Channel(read, lambda data: write(target, data), source=source)
    Runner(channel, kinds, calls=find_call, reached=from_environment(os.environ)).serve(meanwhile)
    sys.stderr.flush()
    # Whoever closed the channel waits for the end of this process, and nothing that Python would still tidy up outlives it.
    os._exit(0)
