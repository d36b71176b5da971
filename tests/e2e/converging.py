"""A folder that is converged through the real payload, as `lifecycle.mutable` does it, but with crash points and a free hand."""

from __future__ import annotations

import asyncio
import os
import signal
import stat
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from vitrify.core.declaration import Content, Host
from vitrify.core.difference import Change
from vitrify.core.digest import JSONObject, digest_bytes
from vitrify.core.plan import Owned
from vitrify.core.resource import Resource
from vitrify.ports import Session
from vitrify.resources.registry import all_kinds
from vitrify.testing.engine import MEMORY, objects, planned
from vitrify.transports.local import PYTHON, LocalTransport

KEY = "5e" * 32


class Payloads:
    """Payload processes for tests: one that answers ordinary calls, and a fresh one for each call that is to be disturbed."""

    def __init__(self, home: Path, *, python: str = PYTHON) -> None:
        self._loop = asyncio.new_event_loop()
        self._home = home
        self._python = python
        self._session: Session | None = None

    def close(self) -> None:
        """End what still runs."""
        if self._session is not None:
            self._loop.run_until_complete(self._session.close())
        self._loop.close()

    def call(self, name: str, arguments: JSONObject, contents: Mapping[str, Content], environ: Mapping[str, str]) -> JSONObject:
        """One call; with `environ` in a process of its own."""
        return self._loop.run_until_complete(self._call(name, arguments, contents, environ))

    async def _call(self, name: str, arguments: JSONObject, contents: Mapping[str, Content], environ: Mapping[str, str]) -> JSONObject:
        if not environ:
            self._session = self._session or await self._connect({})
            return await self._session.call(name, arguments, contents=contents)
        session = await self._connect(environ)
        try:
            return await session.call(name, arguments, contents=contents)
        finally:
            await session.close()

    def kill(self, name: str, arguments: JSONObject, contents: Mapping[str, Content], *, after: float, pid: Path) -> bool:
        """One call in a process of its own that is killed so many seconds after it began; whether it had not ended by then."""
        session = self._loop.run_until_complete(self._connect({}))
        call = session.call(name, arguments, contents=contents)
        return self._loop.run_until_complete(_killed(session, call, after=after, pid=int(pid.read_text())))

    async def _connect(self, environ: Mapping[str, str]) -> Session:
        transport = LocalTransport(self._home, environ={**os.environ, **environ}, pythons=(self._python,))
        return await transport.connect(Host("machine"))


async def _killed(session: Session, work: Coroutine[None, None, JSONObject], *, after: float, pid: int) -> bool:
    call = asyncio.ensure_future(work)
    await asyncio.wait([call], timeout=after)
    cut_short = not call.done()
    if cut_short:
        os.kill(pid, signal.SIGKILL)
    await asyncio.gather(call, return_exceptions=True)
    await session.close()
    return cut_short


@dataclass
class Machine:
    """The folder `root`, and the contents that its wishes name."""

    root: Path
    payloads: Payloads
    contents: dict[str, Content] = field(default_factory=dict)
    server: str = "web"

    def text(self, text: str) -> str:
        """The digest of a content that the control machine has."""
        digest = digest_bytes(text.encode())
        self.contents[digest] = Content(data=text.encode())
        return digest

    def scope(self) -> JSONObject:
        """The scope argument."""
        return {
            "target": "folder",
            "root": str(self.root),
            "lower": [],
            "project": "0123456789abcdef",
            "server": self.server,
            "memory": str(self.root / MEMORY),
            "bwrap": "",
            "key": KEY,
        }

    def call(self, name: str, arguments: JSONObject, *, environ: Mapping[str, str] | None = None) -> JSONObject:
        """One call of the payload."""
        return self.payloads.call(name, {"scope": self.scope(), **arguments}, self.contents, environ or {})

    def observe(self, wishes: list[Resource]) -> JSONObject:
        """The call `observe`."""
        return self.call("observe", {"resources": [wish.to_json() for wish in wishes]})

    def apply(self, wishes: list[Resource], *, run: str, environ: Mapping[str, str] | None = None) -> JSONObject:
        """Observe, plan, enact: what the same command does each time it is run."""
        return self.call("enact", self.planned(wishes, run=run), environ=environ)

    def planned(self, wishes: list[Resource], *, run: str) -> JSONObject:
        """The arguments of `enact` for these wishes as things are now."""
        return {**planned(self.observe(wishes), wishes, run=run, kinds=all_kinds()), "by": "ada@laptop"}

    def changes(self, wishes: list[Resource]) -> list[str]:
        """What a plan would change now."""
        return [str(Change.from_json(item).resource.address) for item in objects(self.planned(wishes, run="none"), "changes")]

    def undo(self, *, run: str = "", force: bool = False, environ: Mapping[str, str] | None = None) -> JSONObject:
        """The call `undo`."""
        return self.call("undo", {"run": run, "force": force, "by": "ada@laptop"}, environ=environ)

    def undo_everything(self) -> None:
        """Run after run, until none is left."""
        for summary in objects(self.observe([]), "runs"):
            if summary["state"] != "undone":
                self.undo()

    def owned(self) -> dict[str, bool]:
        """Address -> whether vitrify created it."""
        rows = objects(self.observe([]), "owned")
        return {str(Owned.from_json(row).resource.address): row["created"] is True for row in rows}

    def tree(self, *, times: bool = True) -> dict[str, tuple[object, ...]]:
        """Every entry but vitrify's own: type and mode, owner, time, content. Times of links count as well."""
        return dict(_entries(self.root, times=times))


def _entries(root: Path, *, times: bool) -> list[tuple[str, tuple[object, ...]]]:
    found: list[tuple[str, tuple[object, ...]]] = []
    for path in sorted(root.rglob("*")):
        name = str(path.relative_to(root))
        if name.startswith(MEMORY):
            continue
        status = path.lstat()
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if stat.S_ISREG(status.st_mode) else ""
        # The folders above the memory change when it is made; that is not undone, and not part of what is compared.
        time = status.st_mtime_ns if times and not MEMORY.startswith(name) else 0
        found.append((name, (status.st_mode, status.st_uid, status.st_gid, time, content)))
    return found
