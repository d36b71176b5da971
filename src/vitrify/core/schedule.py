"""How often `vitrify serve` looks after a server, duty by duty. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from math import inf

NEVER = inf


@dataclass(frozen=True)
class Schedule:
    """Seconds between two turns of each duty; `NEVER` for one that is not to be done."""

    keep: float = 10.0
    """Whether all instances are there: those that ended are replaced."""
    health: float = 30.0
    """Whether what runs serves: an instance that does not is replaced."""
    contract: float = 60.0
    """Whether the rollback window of a release is over that owes a contract: it is carried out."""
    retention: float = 600.0
    """What was kept warm and is over leaves, and what no release needs with it."""
    audit: float = 3600.0
    """What differs from what was declared and authorised; only told."""
    respond: float = 15.0
    """What was found, by whomever, is answered as the rules of the server say."""
    watch: float = NEVER
    """Who changes what, as it happens: a watch that ended begins again after this time."""
