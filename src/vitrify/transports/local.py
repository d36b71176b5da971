"""Reaches the machine that vitrify itself runs on, and folders on it: the payload is a child process, on two pipes."""

from __future__ import annotations

import asyncio
import contextlib
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from vitrify.core.declaration import Content, Host
from vitrify.core.diagnostic import PlanStale, TargetFailed, TargetUnreachable, VitrifyError, error_from_json, error_to_json
from vitrify.core.digest import JSON, PLAIN, JSONObject, digest_bytes
from vitrify.core.event import Emit, Event, silence
from vitrify.core.wire import HEADER_SIZE, VERSION, Blob, Message, decode, encode, header
from vitrify.onhost.failpoint import LOG, WHERE
from vitrify.payload import Payload, pack, unpacked

PYTHON = "/usr/bin/python3"
_GRACE = 1.0
"""Seconds that an ended payload has before it is made to end."""
_KEPT_LINES = 20


class LocalTransport:
    """Starts the payload on this machine. `home` is the folder that keeps the packed payload."""

    def __init__(self, home: Path, *, environ: Mapping[str, str], pythons: Sequence[str] = (PYTHON, sys.executable)) -> None:
        self._folder = home / "payload"
        self._environ = {"PATH": environ.get("PATH", "/usr/bin:/bin"), "LC_ALL": "C.UTF-8"}
        self._environ |= {name: environ[name] for name in ("HOME", "TMPDIR", WHERE, LOG) if name in environ}
        self._pythons = tuple(dict.fromkeys(pythons))

    @cached_property
    def _packed(self) -> Payload:
        return pack()

    @property
    def payload(self) -> str:
        """The digest of the program that sessions run."""
        return self._packed.digest

    async def connect(self, host: Host) -> LocalSession:
        """A session; the first Python that runs the payload is taken."""
        payload = unpacked(self._packed, self._folder)
        reasons: list[str] = []
        for python in self._pythons:
            try:
                return await LocalSession.start((python, "-I", "-S", str(payload)), environ=self._environ)
            except TargetUnreachable as error:
                reasons.append(f"{python}: {error.diagnostics[0].why}")
        raise TargetUnreachable(f"the payload does not run on {host.name}", why="; ".join(reasons), hint="install Python 3.9 or newer")


class LocalSession:
    """One payload process. One call at a time; a call that is cancelled ends the process."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process
        self._said: deque[str] = deque(maxlen=_KEPT_LINES)
        self._listening = asyncio.create_task(self._listen())
        self._turn = asyncio.Lock()
        self._calls = 0
        self._ended = False

    @classmethod
    async def start(cls, argv: Sequence[str], *, environ: Mapping[str, str]) -> LocalSession:
        """Start the payload and wait until it says who it is."""
        pipe = asyncio.subprocess.PIPE
        try:
            process = await asyncio.create_subprocess_exec(
                # A session of its own: Ctrl-C at the terminal reaches us alone, and we end the payload in order.
                *argv,
                stdin=pipe,
                stdout=pipe,
                stderr=pipe,
                env=dict(environ),
                cwd="/",
                start_new_session=True,
            )
        except OSError as error:
            raise TargetUnreachable("the payload cannot be started", why=str(error.strerror)) from error
        session = cls(process)
        try:
            session._greet(await session._hear())
        except BaseException:
            await session.close()
            raise
        return session

    def _greet(self, message: Message) -> None:
        hello = message.get("hello") if isinstance(message, dict) else None
        if not isinstance(hello, dict) or hello.get("version") != VERSION:
            raise TargetUnreachable("the payload speaks another version of the protocol", why=f"it said {hello!r}")

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
                await asyncio.shield(self._end())
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
        stdin = self._process.stdin
        if stdin is None or self._ended:
            raise await self._broken()
        try:
            stdin.write(encode(message))
            await stdin.drain()
        except (BrokenPipeError, ConnectionResetError):
            raise await self._broken() from None

    async def _hear(self) -> Message:
        stdout = self._process.stdout
        if stdout is None or self._ended:
            raise await self._broken()
        try:
            length, kind = header(await stdout.readexactly(HEADER_SIZE))
            return decode(kind, await stdout.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionResetError):
            raise await self._broken() from None

    async def _listen(self) -> None:
        stderr = self._process.stderr
        if stderr is None:
            return
        rest = ""
        while chunk := await stderr.read(4096):
            *lines, rest = (rest + chunk.decode(errors="replace"))[-65536:].split("\n")
            self._said.extend(line for line in lines if line.strip())
        if rest.strip():
            self._said.append(rest)

    async def _broken(self) -> TargetUnreachable:
        with contextlib.suppress(TimeoutError):  # it closed its channel because it is about to end
            await asyncio.wait_for(self._process.wait(), _GRACE)
        await self._end()
        code = self._process.returncode
        ended = f"killed by signal {-code}" if code is not None and code < 0 else f"ended with {code}"
        said = "; ".join(list(self._said)[-3:])
        return TargetUnreachable(
            "the payload ended in the middle of its work",
            why=f"it was {ended}" + (f": {said}" if said else ""),
            hint="run the same command again: it finishes what was begun",
        )

    async def close(self) -> None:
        """End the payload; repeating it is harmless."""
        stdin = self._process.stdin
        if stdin is not None and not self._ended:
            stdin.close()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._process.wait(), _GRACE)
        await asyncio.shield(self._end())

    async def _end(self) -> None:
        """No process and no pipe is left behind once this returns."""
        self._ended = True
        for stop in (self._process.terminate, self._process.kill):
            if self._process.returncode is None:
                with contextlib.suppress(ProcessLookupError):
                    stop()
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._process.wait(), _GRACE)
        if self._process.stdin is not None:
            self._process.stdin.close()
        with contextlib.suppress(TimeoutError):
            # What the payload started may hold its error output open, and go on.
            await asyncio.wait_for(asyncio.shield(self._listening), 0.2)
        self._listening.cancel()


def _read(digest: str, contents: Mapping[str, Content]) -> bytes:
    content = contents.get(digest)
    if content is None:
        raise TargetFailed(f"nobody has the content {digest}", hint="plan again: the declaration changed since")
    if content.path is None:
        return content.data or b""
    try:
        data = Path(content.path).read_bytes()
    except OSError as error:
        raise TargetFailed(f"{content.path} cannot be read", why=str(error.strerror)) from error
    if digest.startswith(PLAIN) and digest_bytes(data) != digest:
        raise PlanStale(f"{content.path} changed after the plan was made", hint="plan again, look, and apply that")
    return data
