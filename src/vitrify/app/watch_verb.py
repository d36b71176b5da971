"""The verb `watch`: chosen servers, listened to until somebody ends that."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrify.app.command import Command

if TYPE_CHECKING:
    from vitrify.core.watched import Tell


class WatchVerb(Command):
    """A method for it."""

    def watch(self, names: tuple[str, ...], *, tell: Tell) -> None:
        """Tell each finding as it comes to be; returns only by an error or an interruption."""
        from vitrify.lifecycle.watch import watch

        servers = tuple(self._server(name) for name in dict.fromkeys(names)) or self._chosen()
        self._run(watch(servers, self._wiring.world, tell=tell))
