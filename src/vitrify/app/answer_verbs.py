"""The verbs that follow a finding: what is in quarantine, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrify.app.command import Command

if TYPE_CHECKING:
    from vitrify.core.adoption import Adoption
    from vitrify.core.quarantined import Quarantined


class AnswerVerbs(Command):
    """A method for each of them."""

    def adoption(self, path: str, *, server: str, host: str) -> Adoption:
        """What would make the declaration say what is at a path now. Changes nothing."""
        from vitrify.lifecycle.adopting import adoption

        return self._run(adoption(self._named(server), path, self._wiring.world, host=host))

    def adopt(self, found: Adoption) -> int:
        """Write that; the entry of the ledger that says so."""
        from vitrify.lifecycle.adopting import adopt

        return adopt(found, self._wiring.world)

    def quarantined(self) -> tuple[Quarantined, ...]:
        """What of the chosen servers is kept out of the way. Changes nothing."""
        from vitrify.lifecycle.setting_aside import listed

        return self._run(listed(self._chosen(), self._wiring.world))

    def put_back(self, name: str) -> Quarantined:
        """Move a path back to where it was; `UsageInvalid` for an instance."""
        from vitrify.lifecycle.setting_aside import put_back

        return self._run(put_back(self._chosen(), name, self._wiring.world))

    def discard_evidence(self, name: str) -> Quarantined:
        """Remove it for good."""
        from vitrify.lifecycle.setting_aside import discard

        return self._run(discard(self._chosen(), name, self._wiring.world))
