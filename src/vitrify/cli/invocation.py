"""One run of one verb: its surroundings, its screen and its way to the application."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

from vitrify.cli.exits import Exit
from vitrify.cli.facade import Application, Open
from vitrify.cli.render import Screen, Streams
from vitrify.core.asked import Scope


@dataclass(frozen=True)
class Surroundings:
    """What a command finds: streams, environment, clock, and how to open the application."""

    streams: Streams
    environ: Mapping[str, str]
    clock: Callable[[], float]
    open_app: Open


@dataclass(frozen=True)
class Invocation:
    """What a verb's function gets."""

    screen: Screen
    scope: Scope
    surroundings: Surroundings
    yes: bool = False
    output: str = "table"
    """What -o said: a format, or with `plan` the file to save to."""
    again: str = "vitrify"
    """The command, to be repeated in a hint."""

    @cached_property
    def app(self) -> Application:
        """The application, opened when first needed."""
        return self.surroundings.open_app(self.scope, self.screen.emit, self.surroundings.environ)

    def close(self) -> None:
        """End what the screen and the application hold."""
        try:
            self.screen.close()
        finally:
            if "app" in vars(self):
                self.app.close()


Run = Callable[..., Exit]
"""A verb's function: `run(invocation, **flags)`."""
