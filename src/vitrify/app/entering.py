"""Runs a command where a server lives, at the terminal of whoever asks for it."""

from __future__ import annotations

from collections.abc import Coroutine
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

from vitrify.app.terminal import AS_ROOT, at_terminal
from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.entered import Entered
from vitrify.lifecycle import entering
from vitrify.lifecycle.entering import Wish

__all__ = ("Wish", "enter")

Result = TypeVar("Result")

if TYPE_CHECKING:
    from vitrify.app.wiring import Wiring


class Run(Protocol):
    """Carries out a story on the one event loop of a command."""

    def __call__(self, story: Coroutine[Any, Any, Result], /) -> Result:
        """What it tells."""


def enter(server: Server, wish: Wish, wiring: Wiring, *, run: Run) -> tuple[Entered, ...]:
    """On each host of a mutable server, or inside one instance of an immutable one, where there is a reason."""
    world, terminal = wiring.world, wish.terminal
    if server.lifecycle is Lifecycle.IMMUTABLE:
        visit = run(entering.into_instance(server, wish, world))
        argv = (*AS_ROOT, *visit.argv) if visit.host.is_remote else visit.argv
        visit = replace(visit, argv=wiring.on_host(visit.host, argv, terminal=terminal))
        entered = entering.carried_out(visit, world, run=at_terminal)
        released, left = run(entering.leave(server, visit, world))
        return (replace(entered, replaced=released.instances if released else (), left=left),)
    ways = {host: wiring.on_host(host, wish.command, terminal=terminal) for host in server.hosts}
    visits = (replace(entering.onto_host(server, host, wish, world), argv=way) for host, way in ways.items())
    return tuple(entering.carried_out(visit, world, run=at_terminal) for visit in visits)
