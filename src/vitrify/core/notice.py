"""Who is told of what happened: a webhook or a command, for some kinds of entries and some servers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from typing import Final
from urllib.parse import urlsplit

from vitrify.core.digest import JSON

EVENTS: Final = (
    "release.done",
    "release.failed",
    "replace.done",
    "replace.failed",
    "rollback.done",
    "rollback.failed",
    "switch.back",
    "apply.done",
    "apply.failed",
    "batch.failed",
    "undo.done",
    "undo.failed",
    "retire.done",
    "retire.failed",
    "expand.done",
    "contract.done",
    "contract.failed",
    "contract.skipped",
    "hook.failed",
    "health.failed",
    "health.left",
    "health.passed",
    "finding",
    "accept.done",
    "exec.intended",
    "lease.released",
    "key.rotated",
    "key.revoked",
    "ledger.recovered",
)
"""Kinds of entries of the ledger that are told where nobody says which: what a person may want to know."""

_STEPS: Final = ("intended", "timed")
"""What is noted beside an outcome, of nearly everything: whoever asks for `release.*` means how it ended."""


@dataclass(frozen=True)
class Notice:
    """One receiver: `url`, or a `command` that reads the notice. Empty `on` and `servers` mean everything. Seconds."""

    url: str = field(default="", repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    command: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    on: tuple[str, ...] = ()
    """Kinds of entries, of all that there are (`core.entry_kinds`); `*` stands for any part of one."""
    servers: tuple[str, ...] = ()
    timeout: float = 5.0
    retries: int = 2
    where: str = ""
    """Where it is declared."""

    @property
    def name(self) -> str:
        """How it is called when it could not be told. Nothing of an address but its host: some hold a secret."""
        called = f"webhook at {urlsplit(self.url).hostname}" if self.url else f"command {self.command[0]}"
        return f"{called} ({self.where})" if self.where else called

    def wants(self, kind: str, body: Mapping[str, JSON]) -> bool:
        """Whether it is to be told of an entry of this kind."""
        if not any(_asks(one, kind) for one in self.on or EVENTS):
            return False
        server = body.get("server")
        return not self.servers or any(fnmatchcase(str(server), one) for one in self.servers)


def _asks(pattern: str, kind: str) -> bool:
    step = kind.rpartition(".")[2]
    named = step not in _STEPS or kind in EVENTS or pattern.endswith(step)
    return named and fnmatchcase(kind, pattern)
