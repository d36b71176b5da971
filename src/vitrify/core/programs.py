"""Programs that a kind runs for what it wishes, each a list of words, and an error in words where one fails."""

from __future__ import annotations

from vitrify.core.diagnostic import TargetFailed
from vitrify.core.system import Command, System


def run(system: System, *argv: str, hint: str = "", timeout: float = 600.0) -> str:
    """What the program said; TargetFailed with its own words where it fails."""
    ended = system.run(Command(argv, timeout=timeout))
    if ended.code != 0:
        why = (ended.stderr.strip() or ended.stdout.strip()).splitlines()[-3:]
        raise TargetFailed(f"`{' '.join(argv)}` ended with {ended.code}", why="; ".join(why), hint=hint)
    return ended.stdout
