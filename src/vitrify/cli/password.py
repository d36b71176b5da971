"""Asks for a password on a terminal, while everything else goes on; Ctrl-C takes the question back."""

from __future__ import annotations

import asyncio
import os
import termios
from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from typing import TYPE_CHECKING, TextIO, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

Ask: TypeAlias = Callable[[str], Awaitable[str]]

_LONGEST = 4096


def asker(stdin: TextIO, stderr: TextIO) -> Ask | None:
    """What asks here; None where nobody could answer."""
    if not (stdin.isatty() and stderr.isatty()):
        return None

    async def ask(question: str) -> str:
        with _unseen(stdin.fileno()):
            stderr.write(f"{question}: ")
            stderr.flush()
            answer = await _line(stdin.fileno())
            stderr.write("\n")
        return answer

    return ask


async def _line(descriptor: int) -> str:
    """The next line that is typed."""
    loop = asyncio.get_running_loop()
    typed: asyncio.Future[str] = loop.create_future()

    def arrived() -> None:
        if not typed.done():
            typed.set_result(os.read(descriptor, _LONGEST).decode(errors="replace").rstrip("\r\n"))

    loop.add_reader(descriptor, arrived)
    try:
        return await typed
    finally:
        loop.remove_reader(descriptor)


@contextmanager
def _unseen(descriptor: int) -> Iterator[None]:
    """What is typed meanwhile does not show."""
    before = termios.tcgetattr(descriptor)
    silent = [*before[:3], before[3] & ~termios.ECHO, *before[4:]]
    termios.tcsetattr(descriptor, termios.TCSAFLUSH, silent)
    try:
        yield
    finally:
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
