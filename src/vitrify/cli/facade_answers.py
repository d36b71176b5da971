"""What the command line asks about answers to findings, so that a test can answer in its place."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vitrify.core.adoption import Adoption
    from vitrify.core.quarantined import Quarantined


class AnswersApplication(Protocol):
    """The verbs that follow a finding."""

    def adoption(self, path: str, *, server: str, host: str) -> Adoption:
        """What would make the declaration say what is there."""

    def adopt(self, found: Adoption) -> int:
        """Write that; the entry of the ledger that says so."""

    def quarantined(self) -> tuple[Quarantined, ...]:
        """What is kept out of the way."""

    def put_back(self, name: str) -> Quarantined:
        """Move a path back to where it was."""

    def discard_evidence(self, name: str) -> Quarantined:
        """Remove a thing in quarantine for good."""
