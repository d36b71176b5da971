"""What sudo is answered on other machines: declared, from the environment, or asked for once at the terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping

from vitrify.core.declaration import Host, Ssh

VARIABLE = "VITRIFY_SUDO_PASSWORD"


class SudoPassword:
    """One answer for all hosts. It is never part of a message, and nobody is asked before a sudo asks.

    `declared` is called then, and not before: the declaration may still be being read when a connection is begun.
    """

    def __init__(self, declared: Callable[[], Ssh], environ: Mapping[str, str], ask: Callable[[str], Awaitable[str]] | None = None) -> None:
        self._declared = declared
        self._given = environ.get(VARIABLE, "")
        self._ask = ask
        self._typed = ""
        self._turn = asyncio.Lock()

    @property
    def answers(self) -> bool:
        """Whether there is an answer to be had without the declaration."""
        return bool(self._given or self._ask)

    async def answer(self, host: Host) -> str:
        """The declared password, else that of the environment; where there is neither, the first host has somebody asked."""
        known = self._declared().sudo_password or self._given or self._typed
        if known or self._ask is None:
            return known
        async with self._turn:
            self._typed = self._typed or await self._ask(f"sudo password on {host.name}")
        return self._typed
