"""How a command ended that somebody ran where a server lives. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Entered:
    """One command that somebody ran on a host, or inside an instance there."""

    host: str
    code: int
    """How it ended; a signal as the shell counts it."""
    instance: str = ""
    entry: int = 0
    """The ledger's entry about it."""
    replaced: tuple[str, ...] = ()
    """The instances that serve in its place since."""
    left: str = ""
    """Why it was not replaced yet; the next apply does."""
