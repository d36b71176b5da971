"""Reaches hosts by the OpenSSH client: one process each, become root once, and the payload speaks over that one channel."""

from __future__ import annotations

import asyncio
import contextlib
import os
import secrets
import shlex
import stat
import tempfile
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import TypeAlias

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import TargetUnreachable, UsageInvalid
from vitrify.core.digest import PLAIN
from vitrify.core.wire import Blob, encode
from vitrify.onhost.failpoint import WHERE
from vitrify.payload import Payload, in_place, pack
from vitrify.transports import refusal
from vitrify.transports.ascent import CACHE, command
from vitrify.transports.channel import FramedSession, Program, started

Password: TypeAlias = Callable[[Host], Awaitable[str]]
"""What sudo is answered on a host, asked for when sudo asks."""

PATIENCE = 40.0
"""Seconds from the start of the client to the payload's greeting."""
INSTALLING = 900.0
"""Seconds more that a package manager may take to install a Python."""
_LONGEST_FOLDER = 44
"""The system allows 104 bytes for a socket's path; its name takes 41 of them, and 17 more while the client makes it."""
_NOISE = 200
"""So many lines a login may say before its shell obeys."""


@dataclass(frozen=True)
class Client:
    """How the OpenSSH client is called: `config` takes the place of the user's ssh_config, `sockets` holds the control sockets."""

    sockets: Path
    config: str = ""
    program: str = "ssh"

    def argv(self, host: Host, remote: str, *, shared: bool = True, terminal: bool = False) -> tuple[str, ...]:
        """The client that runs `remote` on this host. Keys, jumps, aliases and known hosts are ssh_config's to say.

        A connection that is not `shared` logs in anew, whatever is open already.
        """
        options = {
            "BatchMode": "yes",
            "ControlMaster": "auto" if shared else "no",
            "ControlPath": f"{self.sockets}/%C" if shared else "none",
            "ControlPersist": "60" if shared else "no",
            "ClearAllForwardings": "yes",
            "Compression": "yes",
            "ForwardX11": "no",
            "LogLevel": "INFO",
            "PermitLocalCommand": "no",
            "RemoteCommand": "none",
            "RequestTTY": "force" if terminal else "no",
            "ServerAliveCountMax": "3",
            "ServerAliveInterval": "15",
        }
        words = [self.program, *(("-F", self.config) if self.config else ()), "-tt" if terminal else "-T"]
        words += [word for name, value in options.items() for word in ("-o", f"{name}={value}")]
        words += ["-p", str(host.port)] if host.port else []
        words += ["-l", host.user] if host.user else []
        return (*words, "--", host.address, remote)


class SshTransport:
    """Sessions with hosts. A control socket lives on for a minute, so that the next command needs no handshake."""

    programs: Callable[[], Payload] = staticmethod(in_place)

    def __init__(
        self,
        client: Client,
        *,
        environ: Mapping[str, str],
        password: Password | None = None,
        cache: str = CACHE,
        patience: float = PATIENCE,
    ) -> None:
        self._client = client
        self._environ = dict(environ)
        self._password = password
        self._cache = cache
        self._patience = patience
        self._begun: dict[Host, tuple[str, Program]] = {}

    @cached_property
    def _packed(self) -> Payload:
        return self.programs()

    async def connect(self, host: Host, *, anew: bool = False, bringing: bool = False) -> FramedSession:
        """A session as root of this host; `TargetUnreachable` with the reason and what to do otherwise.

        `anew` logs in once more, as somebody would who was never there. `bringing` lets the host's package manager install a Python
        before anything else; `TargetFailed` where it cannot.
        """
        begun = None if anew or bringing else self._begun.pop(host, None)
        token, program = begun or await self._start(host, shared=not anew, bringing=bringing)
        session = FramedSession(program, lost=partial(refusal.broken, host))
        patience = self._patience + (INSTALLING if bringing else 0)
        try:
            async with asyncio.timeout(patience) as limit:
                door = _Door(program, host, token, limit)
                await door.pass_through(self._password, self._packed)
                await session.greet()
        except BaseException as error:
            await asyncio.shield(program.end())
            if isinstance(error, TimeoutError):
                raise refusal.too_late(host, patience, program.said) from None
            raise
        return session

    def running(self, host: Host, argv: Sequence[str], *, terminal: bool) -> tuple[str, ...]:
        """The client that runs these words on a host as whoever logs in there, at this terminal or at none."""
        return self._client.argv(host, shlex.join(argv), terminal=terminal)

    async def begin(self, host: Host) -> None:
        """Start the client already; the next `connect` to this host goes on from there."""
        self._begun[host] = await self._start(host, shared=True)

    async def give_up(self) -> None:
        """End what was begun and not connected to."""
        while self._begun:
            _, (_, program) = self._begun.popitem()
            await program.end()

    async def _start(self, host: Host, *, shared: bool, bringing: bool = False) -> tuple[str, Program]:
        token = secrets.token_hex(8)
        more = [f"{WHERE}={self._environ[WHERE]}"] if self._environ.get(WHERE) else []
        asks = self._password is not None
        remote = command(token, self._packed.digest, ask=asks, cache=self._cache, more=more, bringing=bringing)
        try:
            return token, Program(await started(self._client.argv(host, remote, shared=shared), environ=self._environ))
        except OSError as error:
            hint = "install the OpenSSH client: `apt-get install openssh-client`"
            raise TargetUnreachable(f"{self._client.program} cannot be started", why=str(error.strerror), hint=hint) from error


class SiteTransport(SshTransport):
    """Sessions with hosts of instances, which need all of our programs."""

    programs = staticmethod(pack)


class _Door:
    """The lines that the stages on the host say before the payload speaks."""

    def __init__(self, program: Program, host: Host, token: str, limit: asyncio.Timeout) -> None:
        self._program = program
        self._limit = limit
        self._host = host
        self._mark = f"vitrify {token} ".encode()
        self._prompt = f"vitrify-{token}-password:"
        self._entered = False

    async def pass_through(self, password: Password | None, payload: Payload) -> None:
        """Answer sudo if it asks, and send the payload if the host lacks it."""
        arriving = asyncio.create_task(self._arrive())
        answering = asyncio.create_task(self._answer(password)) if password else arriving
        try:
            done, _ = await asyncio.wait({arriving, answering}, return_when=asyncio.FIRST_COMPLETED)
            if arriving not in done:
                await answering  # its own error, if it has one
                raise refusal.wrong_password(self._host)
            lacking = await arriving
        finally:
            arriving.cancel()
            answering.cancel()
        if lacking:
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the greeting that does not come tells why
                await self._program.write(encode(Blob(f"{PLAIN}{payload.digest}", payload.content)))

    async def _answer(self, password: Password) -> bool:
        """Say the password once; returns when it was not the right one. Whoever has to type it may take their time."""
        await self._program.asks(self._prompt)
        patience = (self._limit.when() or 0) - asyncio.get_running_loop().time()
        self._limit.reschedule(None)
        said = await password(self._host)
        self._limit.reschedule(asyncio.get_running_loop().time() + patience)
        with contextlib.suppress(BrokenPipeError, ConnectionResetError):  # the lines that do not come tell why
            await self._program.write(said.encode() + b"\n")
        await self._program.asks(self._prompt)
        return False

    async def _arrive(self) -> bool:
        """Until the first Python runs as root; whether it lacks the payload."""
        for _ in range(_NOISE):
            line = await self._program.line()
            if not line.endswith(b"\n"):
                break
            if not line.startswith(self._mark):
                continue
            stage, _, rest = line.removeprefix(self._mark).decode(errors="replace").strip().partition(" ")
            self._entered = True
            if stage == "refused":
                what, _, detail = rest.partition(" ")
                await self._program.wait()  # what it said to people comes by another pipe
                raise refusal.stage_refused(self._host, what, detail, self._program.said)
            if stage in ("need", "have"):
                return stage == "need"
        await self._program.wait()
        await self._program.end()
        raise refusal.refused(self._host, self._program.code, self._program.said, entered=self._entered)


def sockets(home: Path, environ: Mapping[str, str]) -> Path:
    """A folder of ours alone whose path is short enough for control sockets, made if need be."""
    runtime = environ.get("XDG_RUNTIME_DIR")
    wanted = [Path(runtime) / "vitrify"] if runtime else []
    wanted += [home / "ssh", Path(tempfile.gettempdir()) / f"vitrify-{os.geteuid()}"]
    for folder in wanted:
        if len(os.fsencode(folder)) <= _LONGEST_FOLDER and _ours_alone(folder):
            return folder
    tried: Sequence[str] = [str(folder) for folder in wanted]
    hint = "set XDG_RUNTIME_DIR to a folder of yours with a short path"
    raise UsageInvalid("there is no place for the control sockets of SSH", why=f"tried {', '.join(tried)}", hint=hint)


def _ours_alone(folder: Path) -> bool:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        status = folder.lstat()
    except OSError:
        return False
    return stat.S_ISDIR(status.st_mode) and status.st_uid == os.geteuid() and not status.st_mode & 0o077
