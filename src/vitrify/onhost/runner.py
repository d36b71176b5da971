"""The payload's main loop: takes calls from its standard input, one at a time, and answers on its standard output."""

from __future__ import annotations

import os
import platform
import sys
import time
import traceback
from contextlib import suppress
from typing import Callable, Dict, Optional

from vitrify.core.diagnostic import TargetFailed, UsageInvalid, VitrifyError, error_from_json, error_to_json
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event
from vitrify.core.resource import Kinds
from vitrify.core.step import Reached
from vitrify.core.wire import VERSION, Blob, Message, encode, receive
from vitrify.onhost.calls import Call, find_call
from vitrify.onhost.context import Context
from vitrify.onhost.failpoint import from_environment
from vitrify.onhost.faults import failed
from vitrify.onhost.files import write


class Channel:
    """Frames to and from the control machine."""

    def __init__(self, read: Callable[[int], bytes], send: Callable[[bytes], object]) -> None:
        self._read = read
        self._send = send

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

    def serve(self) -> None:
        """Say who we are, then take call after call; returns at the end of the channel."""
        hello: JSONObject = {"version": VERSION, "python": platform.python_version()}
        self._channel.tell({"hello": hello})
        while True:
            try:
                message = self._channel.hear()
                if isinstance(message, dict):
                    self._channel.tell(self._answer(message))
            except EOFError:
                return

    def _answer(self, message: JSONObject) -> JSONObject:
        number = message.get("id")
        try:
            return {"id": number, "return": self._call(message, number)}
        except EOFError:
            raise
        except VitrifyError as error:
            return {"id": number, "error": _sent(error)}
        except OSError as error:
            doing = f"{error.filename} refused" if error.filename else "the target refused"
            return {"id": number, "error": _sent(failed(error, doing))}
        except Exception as error:  # noqa: BLE001  nobody is shown a traceback; its last line says where to look
            return {"id": number, "error": _sent(_internal(error))}

    def _call(self, message: JSONObject, number: JSON) -> JSONObject:
        name, arguments = str(message.get("call")), message.get("arguments")
        call = self._calls(name)
        if call is None or not isinstance(arguments, dict):
            raise UsageInvalid(f"the payload has no call {name!r}", hint="the payload and this program differ")

        def emit(event: Event) -> None:
            self._channel.tell({"id": number, "event": event.to_json()})

        def blob(digest: str) -> bytes:
            return self._ask(number, digest)

        return call(Context(emit=emit, blob=blob, reached=self._reached, kinds=self._kinds, clock=time.time), arguments)

    def _ask(self, number: JSON, digest: str) -> bytes:
        self._channel.tell({"id": number, "need": [digest]})
        answer = self._channel.hear()
        if isinstance(answer, Blob) and answer.digest == digest:
            return answer.content
        refusal = answer.get("error") if isinstance(answer, dict) else None
        if isinstance(refusal, dict):
            raise error_from_json(dict(refusal))
        raise TargetFailed(f"the content {digest} was asked for and something else came", hint="the payload and this program differ")


def _sent(error: VitrifyError) -> Dict[str, JSON]:
    return {name: str(value) for name, value in error_to_json(error).items()}


def _internal(error: Exception) -> TargetFailed:
    frames = traceback.extract_tb(error.__traceback__)
    place = f" in {frames[-1].name}, line {frames[-1].lineno} of {os.path.basename(frames[-1].filename)}" if frames else ""
    said = traceback.format_exception_only(type(error), error)[-1].strip()
    return TargetFailed("internal error on the target", why=f"{said}{place}", hint="please report this, with what you ran")


def main(kinds: Kinds) -> None:
    """Serve the process's own standard input and output, which nothing else may touch from here on."""
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

    channel = Channel(read, lambda data: write(target, data))
    Runner(channel, kinds, calls=find_call, reached=from_environment(os.environ)).serve()
    sys.stderr.flush()
