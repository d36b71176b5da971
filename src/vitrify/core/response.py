"""What is done about a finding by itself: rules of the declaration, the first that fits. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from vitrify.core.digest import JSONObject
from vitrify.core.noise import Noise
from vitrify.core.severity import Severity

AT_MOST = 3
"""So many responses of one rule an hour on one host, where it does not say."""
GIVE_UP = 3
"""So often within a day one path is put right, where the rule does not say: what comes back then is left for somebody to look at."""
_RANKS = tuple(Severity)


class Do(Enum):
    """What is done."""

    REPORT = "report"
    RECONVERGE = "re-converge"
    REPLACE = "replace"
    QUARANTINE = "quarantine"


_DORMANT = {True: Do.RECONVERGE, False: Do.REPLACE}
"""Immutable or not -> what has no meaning there: a rule that says it waits for the other lifecycle."""


@dataclass(frozen=True)
class Response:
    """One rule. In `path`, `*` is anything within a name and `**` anything below a folder."""

    do: Do
    path: str = "**"
    severity: Severity = Severity.LOW
    """It is about findings of this severity, and graver ones."""
    at_most: int = AT_MOST
    give_up: int = GIVE_UP

    def fits(self, path: str, severity: Severity) -> bool:
        """Whether it is about such a finding."""
        return Noise(self.path, "").matches(path) and _RANKS.index(severity) <= _RANKS.index(self.severity)

    def to_json(self) -> JSONObject:
        """The form in the ledger."""
        return {"path": self.path, "severity": self.severity.value, "do": self.do.value}


def decided(rules: Iterable[Response], path: str, severity: Severity, *, immutable: bool) -> Response | None:
    """The first rule that fits and has a meaning in this lifecycle; None where the finding is only told."""
    awake = (rule for rule in rules if rule.do is not _DORMANT[immutable])
    found = next((rule for rule in awake if rule.fits(path, severity)), None)
    return None if found is None or found.do is Do.REPORT else found
