"""One conversation with a payload that runs behind two pipes: the same, whichever way the process was started."""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypeAlias

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import PlanStale, TargetFailed, TargetUnreachable, VitrifyError, error_from_json, error_to_json
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_bytes
from vitrify.core.event import Emit, Event, silence
from vitrify.core.wire import HEADER_SIZE, VERSION, Blob, Message, decode, encode, header

Lost: TypeAlias = Callable[[int | None, Sequence[str]], TargetUnreachable]
"""Says in words how a channel ended, from the exit status of its process and the last lines that this said."""

_GRACE = 1.0
"""Seconds that an ended payload has before it is made to end."""
_KEPT_LINES = 20
_LONGEST_LINE = 65536


async def started(argv: Sequence[str], *, environ: Mapping[str, str]) -> asyncio.subprocess.Process:
    """A process with three pipes, in a session of its own: Ctrl-C at the terminal reaches us alone, and we end it in order."""
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *argv, stdin=pipe, stdout=pipe, stderr=pipe, env=dict(environ), cwd="/", start_new_session=True
    )


class Program:
    """A started process: what it says to people is kept, and none of it is left behind once it is ended."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._rest = ""
        self._heard = asyncio.Event()
        self._listening = asyncio.create_task(self._listen())
        self.ended = False

    @property
    def code(self) -> int | None:
        """How the process ended; None while it runs."""
        return self._process.returncode

    @property
    def said(self) -> tuple[str, ...]:
        """The last lines of its error output, an unfinished one too."""
        return (*self._said, self._rest) if self._rest.strip() else tuple(self._said)

    async def asks(self, prompt: str) -> None:
        """Return once the error output ends with this prompt, which is then taken away."""
        while not self._rest.endswith(prompt):
            self._heard.clear()
            await self._heard.wait()
        self._rest = self._rest.removesuffix(prompt)

    async def write(self, data: bytes) -> None:
        """Hand it these bytes; BrokenPipeError or ConnectionResetError where nobody takes them."""
        stdin = self._process.stdin
        if stdin is None or self.ended:
            raise BrokenPipeError
        stdin.write(data)
        await stdin.drain()

    async def line(self) -> bytes:
        """The next line of its output, or what is left before the end."""
        stdout = self._process.stdout
        try:
            return b"" if stdout is None or self.ended else await stdout.readline()
        except ValueError:
            return b"\0"  # longer than any line of ours

    async def read(self, size: int) -> bytes:
        """Exactly so many bytes of its output; IncompleteReadError where it ends before."""
        stdout = self._process.stdout
        if stdout is None or self.ended:
            raise asyncio.IncompleteReadError(b"", size)
        return await stdout.readexactly(size)

    async def _listen(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            return
        while chunk := await stderr.read(4096):
            *lines, self._rest = (self._rest + chunk.decode(errors="replace"))[-_LONGEST_LINE:].split("\n")
            self._said.extend(line.rstrip("\r") for line in lines if line.strip())
            self._heard.set()

    async def wait(self) -> None:
        """Give it a moment to end by itself, as it does when its channel was closed."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._process.wait(), _GRACE)

    async def close(self) -> None:
        """Close its input, and end what does not end by that; repeating it is harmless."""
        if self._process.stdin is not None and not self.ended:
            self._process.stdin.close()
            await self.wait()
        await asyncio.shield(self.end())

    async def end(self) -> None:
        """No process and no pipe is left behind once this returns."""
        self.ended = True
        for stop in (self._process.terminate, self._process.kill):
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    stop()
                await self.wait()
        if self._process.stdin is not None:
            self._process.stdin.close()
        # What the process started may hold its error output open, and go on.
        await asyncio.wait({self._listening}, timeout=0.2)
        self._listening.cancel()


class FramedSession:
    """One payload process. One call at a time; a call that is cancelled ends the process."""

    def __init__(self, program: Program, *, lost: Lost) -> None:
        self._program = program
        self._lost = lost
        self._turn = asyncio.Lock()
        self._calls = 0

    @property
    def usable(self) -> bool:
        """Whether the process is there, as far as one can tell without asking it."""
        return self._program.code is None and not self._program.ended

    async def greet(self) -> None:
        """Wait until the payload says who it is; whatever is something else is refused, and ended."""
        try:
            _refuse_stranger(await self._hear())
        except BaseException:
            await self.close()
            raise

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Run one of the payload's calls and return its answer."""
        async with self._turn:
            self._calls += 1
            try:
                await self._say({"call": name, "id": self._calls, "arguments": arguments})
                while True:
                    answer = await self._answer(await self._hear(), contents or {}, emit)
                    if answer is not None:
                        return answer
            except asyncio.CancelledError:
                await asyncio.shield(self._program.end())
                raise

    async def _answer(self, message: Message, contents: Mapping[str, Content], emit: Emit) -> JSONObject | None:
        if not isinstance(message, dict) or message.get("id") != self._calls:
            return None
        for name, value in message.items():
            if name == "return" and isinstance(value, dict):
                return value
            if name == "error" and isinstance(value, dict):
                raise error_from_json(dict(value))
            if name == "event" and isinstance(value, dict):
                emit(Event.from_json(value))
            if name == "need" and isinstance(value, list):
                await self._supply(value, contents)
        return None

    async def _supply(self, digests: Sequence[JSON], contents: Mapping[str, Content]) -> None:
        for digest in map(str, digests):
            try:
                await self._say(Blob(digest, await asyncio.to_thread(_read, digest, contents)))
            except VitrifyError as error:
                told: dict[str, JSON] = {key: str(value) for key, value in error_to_json(error).items()}
                await self._say({"refused": digest, "error": told})

    async def _say(self, message: Message) -> None:
        try:
            await self._program.write(encode(message))
        except (BrokenPipeError, ConnectionResetError):
            raise await self._broken() from None

    async def _hear(self) -> Message:
        try:
            length, kind = header(await self._program.read(HEADER_SIZE))
            return decode(kind, await self._program.read(length))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise await self._broken() from None

    async def _broken(self) -> TargetUnreachable:
        await self._program.wait()  # it closed its channel because it is about to end
        await self._program.end()
        return self._lost(self._program.code, self._program.said)

    async def close(self) -> None:
        """End the payload; repeating it is harmless."""
        await self._program.close()


def _refuse_stranger(message: Message) -> None:
    hello = message.get("hello") if isinstance(message, dict) else None
    if not isinstance(hello, dict) or hello.get("version") != VERSION:
        raise TargetUnreachable("the payload speaks another version of the protocol", why=f"it said {hello!r}")


def _read(digest: str, contents: Mapping[str, Content]) -> bytes:
    content = contents.get(digest)
    if content is None:
        raise TargetFailed(f"nobody has the content {digest}", hint="plan again: the declaration changed since")
    if content.path is None:
        return content.data or b""
    try:
        with Path(content.path).open("rb") as file:
            file.seek(content.start)
            data = file.read() if content.size is None else file.read(content.size)
    except OSError as error:
        raise TargetFailed(f"{content.path} cannot be read", why=str(error.strerror)) from error
    if digest.startswith(PLAIN) and digest_bytes(data) != digest:
        raise PlanStale(f"{content.path} changed after the plan was made", hint="plan again, look, and apply that")
    return data
