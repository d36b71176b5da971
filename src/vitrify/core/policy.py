"""Who must agree before something is done: counted, never judged here. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Sequence, Tuple


@dataclass(frozen=True)
class Approvals:
    """So many of these have to approve a plan: authors by name (`anna@laptop`), or by name and key id (`anna@laptop+5b3b7a2c`)."""

    required: int = 0
    keys: Tuple[str, ...] = ()

    def given(self, approvers: Sequence[str]) -> Tuple[str, ...]:
        """Those of `keys` for whom one of these approved (public keys in text form), each once."""
        return tuple(wanted for wanted in self.keys if any(_is(wanted, approver) for approver in approvers))

    def missing(self, approvers: Sequence[str]) -> Tuple[str, ...]:
        """Who could still approve; nobody where enough have."""
        given = self.given(approvers)
        return () if len(given) >= self.required else tuple(wanted for wanted in self.keys if wanted not in given)


def _is(wanted: str, approver: str) -> bool:
    name, identity = (*approver.split("+", 2), "")[:2]
    return wanted in (name, f"{name}+{identity}")
