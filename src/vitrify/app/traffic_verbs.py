"""The verbs about where requests go: back, on, to nobody for a moment. None needs the declaration, but for secrets of what is started."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrify.app.command import Command

if TYPE_CHECKING:
    from vitrify.core import report
    from vitrify.core.rollout_report import WayBack


class TrafficVerbs(Command):
    """A method for each of them."""

    def way_back(self, server: str, *, to: int | None = None, look: bool = True) -> WayBack:
        """What a rollback would take; without a look at the host, only which release it would be."""
        from vitrify.lifecycle.tiers import way_back

        return self._run(way_back(server, self._wiring.world, to=to, look=look))

    def rollback(self, server: str, *, to: int) -> report.Applied:
        """Make a former release live again on all hosts."""
        from vitrify.lifecycle.fleet import rollback

        secret = self._secret_of(server)
        return self._run(rollback(server, self._wiring.world, to=to, secret=secret, parallel=self._options.parallel))

    def promotion(self, server: str) -> str:
        """What a promotion would let go on, in words."""
        from vitrify.lifecycle.promoting import promotion

        return promotion(server, self._wiring.world)

    def promote(self, server: str, *, everything: bool = False) -> report.Applied:
        """Let a rollout that waits go on, on all its hosts."""
        from vitrify.lifecycle.promoting import promote

        secret = self._secret_of(server)
        parallel = self._options.parallel
        return self._run(promote(server, self._wiring.world, secret=secret, everything=everything, parallel=parallel))

    def abortion(self, server: str) -> tuple[int, int | None]:
        """Which release would be taken back, and which serves on."""
        from vitrify.lifecycle.promoting import abortion

        return abortion(server, self._wiring.world)

    def abort(self, server: str) -> report.Applied:
        """Take back an open rollout, on all its hosts."""
        from vitrify.lifecycle.promoting import abandon

        secret = self._secret_of(server)
        return self._run(abandon(server, self._wiring.world, secret=secret, parallel=self._options.parallel))

    def pause(self, server: str, *, at_most: float) -> report.Applied:
        """Hold new requests, on all its hosts or on none."""
        from vitrify.lifecycle.pausing import pause

        return self._run(pause(server, self._wiring.world, at_most=at_most, parallel=self._options.parallel))

    def resume(self, server: str) -> tuple[bool, report.Applied]:
        """Let them through again."""
        from vitrify.lifecycle.pausing import resume

        return self._run(resume(server, self._wiring.world, parallel=self._options.parallel))
