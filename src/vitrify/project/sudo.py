"""What sudo is answered on other machines: declared, from the environment, or asked for once at the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from vitrify.core.declaration import Host, Ssh

VARIABLE = "VITRIFY_SUDO_PASSWORD"


@dataclass
class SudoPassword:
    """One answer for all hosts. It is never part of a message or of a repr, and nobody is asked before a sudo asks."""

    known: str = field(default="", repr=False)
    ask: Callable[[str], Awaitable[str]] | None = None
    _turn: asyncio.Lock = field(default_factory=asyncio.Lock, repr=False)

    @classmethod
    def of(cls, ssh: Ssh, environ: Mapping[str, str], ask: Callable[[str], Awaitable[str]] | None) -> SudoPassword:
        """The declared one, else that of the environment, else whatever is typed."""
        return cls(ssh.sudo_password or environ.get(VARIABLE, ""), ask)

    @property
    def answers(self) -> bool:
        """Whether there is any answer to be had."""
        return bool(self.known or self.ask)

    async def answer(self, host: Host) -> str:
        """The password; the first host for which nobody knows it has somebody asked."""
        async with self._turn:
            if not self.known and self.ask:
                self.known = await self.ask(f"sudo password on {host.name}")
        return self.known
