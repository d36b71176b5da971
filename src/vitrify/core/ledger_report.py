"""What verbs about the ledger, its keys and approvals answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Optional, Tuple

from vitrify.core.digest import JSONObject


@dataclass(frozen=True)
class Asked:
    """Which entries are looked for: those that fit everything that is said. `kind` may end with `*`."""

    text: str = ""
    server: str = ""
    host: str = ""
    kind: str = ""
    actor: str = ""
    since: int = 0


@dataclass(frozen=True)
class KeyView:
    """One key of a project. `state` is author, expired, retired, revoked or witness.

    `size` is the largest tree that a former one may sign.
    """

    key: str
    state: str
    ours: bool = False
    size: Optional[int] = None
    until: str = ""
    url: str = ""


@dataclass(frozen=True)
class KeyMoved:
    """A key that was rotated or revoked, and the one that took its place, if one did."""

    key: str
    state: str
    entry: int
    size: int
    new: str = ""


@dataclass(frozen=True)
class Approved:
    """A signature that was added to a plan, and who has signed it so far; of each demand, how many and who could still."""

    plan: str
    key: str
    by: Tuple[str, ...] = ()
    wrong: Tuple[str, ...] = ()
    demands: Tuple[JSONObject, ...] = ()


@dataclass(frozen=True)
class Shown:
    """What a receipt or a host shows about the ledger; it holds where there are no problems."""

    subject: str
    problems: Tuple[str, ...] = ()
    details: JSONObject = field(default_factory=dict)


@dataclass(frozen=True)
class Cosigned:
    """Which witnesses' cosignatures the published checkpoint of `size` entries bears, and why others' are missing."""

    size: int
    by: Tuple[str, ...] = ()
    missing: Tuple[Tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Recovered:
    """A ledger of `before` entries that has `size` of them after hosts were asked; some may not have answered."""

    before: int
    size: int
    heard: Tuple[str, ...] = ()
    silent: Tuple[str, ...] = ()
