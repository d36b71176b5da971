"""What every verb begins with: the flags, the wiring that they ask for, and one event loop for all stories of a command."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Mapping
from functools import cached_property, partial
from typing import TYPE_CHECKING, Any, TypeVar

from vitrify.app.wiring import Ask, Wiring
from vitrify.core.asked import Scope
from vitrify.core.declaration import Host, Server
from vitrify.core.event import Emit

if TYPE_CHECKING:  # a command brings along what it needs and no more
    from vitrify.lifecycle.settings import SecretValue

Result = TypeVar("Result")


class Command:
    """One command's view of a project. Everything is opened when it is first needed, and nothing twice."""

    def __init__(self, options: Scope, *, emit: Emit, environ: Mapping[str, str], ask: Ask | None = None) -> None:
        self._options = options
        self._environ = environ
        self._wiring = Wiring(options, emit=emit, environ=environ, ask=ask)
        self._begin = partial(Wiring, emit=emit, environ=environ, ask=ask)

    @cached_property
    def _loop(self) -> asyncio.Runner:
        return asyncio.Runner()

    def _run(self, story: Coroutine[Any, Any, Result]) -> Result:
        """All stories of a command share one event loop: what one of them opened, the next one uses."""
        return self._loop.run(story)

    def close(self) -> None:
        """End what was kept open between the stories of a command."""
        if "_loop" in vars(self):
            with self._loop as loop:
                loop.run(self._wiring.hang_up())
        self._wiring.see_told()
        self._wiring.witnessed()

    def _chosen(self) -> tuple[Server, ...]:
        from vitrify.project.choose import choose

        return choose(self._wiring.declaration, limit=self._options.limit, exclude=self._options.exclude)

    def _named(self, server: str) -> tuple[Server, ...]:
        return (self._server(server),) if server else self._chosen()

    def _managed(self, server: str) -> list[Host]:
        """The hosts that this server is changed in place on, whether they are declared still or not."""
        from vitrify.project.settings import host_at

        return [host_at(host, self._wiring.folder.absolute()) for name, host in self._wiring.world.state.managed() if name == server]

    def _server(self, name: str) -> Server:
        from vitrify.project.choose import named

        return named(self._wiring.declaration, name)

    def _secret_of(self, server: str) -> SecretValue:
        """The secrets of a server. Few ask, and the declaration is not read for the others: a release that runs no more, or a hook."""
        from vitrify.lifecycle.settings import known_secrets

        def secret(name: str) -> str:
            return known_secrets(self._server(server).secrets)(name)

        return secret
