"""The programs that run instances, on whichever host: found here, or made sure of there."""

from __future__ import annotations

import asyncio
import platform
from dataclasses import dataclass
from pathlib import Path

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, PLAIN, JSONObject
from vitrify.ports import Session
from vitrify.project.binaries import BUBBLEWRAP, CADDY, HAPROXY, Need, find, from_wheel


async def bubblewrap_here() -> str:
    """The path of bubblewrap on this machine."""
    return (await asyncio.to_thread(find, BUBBLEWRAP)).path


async def caddy_here() -> str:
    """The path of Caddy on this machine."""
    return (await asyncio.to_thread(find, CADDY)).path


async def haproxy_here() -> str:
    """The path of HAProxy on this machine."""
    return (await asyncio.to_thread(find, HAPROXY)).path


@dataclass(frozen=True)
class HostTools:
    """Programs on the host of a session: its own where they are new enough, else the pinned ones that came as wheels, sent once.

    `home` is where the host keeps what is sent to it.
    """

    session: Session
    home: str

    async def bubblewrap(self) -> str:
        """The path of bubblewrap there."""
        return await self._path(BUBBLEWRAP)

    async def caddy(self) -> str:
        """The path of Caddy there."""
        return await self._path(CADDY)

    async def haproxy(self) -> str:
        """The path of HAProxy there."""
        return await self._path(HAPROXY)

    async def _path(self, need: Need) -> str:
        wanted: JSONObject = {"name": need.name, "probe": list(need.probe), "proof": need.proof, "least": need.least, "home": self.home}
        contents: dict[str, Content] = {}
        try:
            wheel = await asyncio.to_thread(from_wheel, need)
        except IntegrityFailed:
            wheel = None  # what is not the pinned one is sent to nobody; the host's own may do
        if wheel is not None:
            folder = Path(wheel.path).parent
            files: dict[str, JSON] = {path: PLAIN + sha256 for path, sha256 in wheel.files.items()}
            contents = {PLAIN + sha256: Content(path=str(folder / path)) for path, sha256 in wheel.files.items()}
            wanted |= {"files": files, "machine": platform.machine()}
        return str((await self.session.call("tool.ensure", wanted, contents=contents))["path"])
