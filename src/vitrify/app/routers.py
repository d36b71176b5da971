"""The routers of a host, all behind one port: which program a router is, is told with its route."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from vitrify.core.declaration import Declaration
from vitrify.core.event import Emit
from vitrify.lifecycle.settings import known_secrets
from vitrify.project.tools import HostTools, caddy_here, haproxy_here
from vitrify.routers.on_host import OnHostRouter, Program

if TYPE_CHECKING:
    from vitrify.ports import Session


@dataclass(frozen=True)
class Means:
    """What routers need to be told: where their programs are, and where clients on this machine reach them."""

    caddy: Program = caddy_here
    haproxy: Program = haproxy_here
    outside: str = "127.0.0.1"

    @classmethod
    def there(cls, tools: HostTools, outside: str) -> Means:
        """On another machine."""
        return cls(tools.caddy, tools.haproxy, outside)


def router(session: Session, means: Means, declared: Callable[[], Declaration], *, home: str, emit: Emit) -> OnHostRouter:
    """What moves traffic below `home` on the host of a session. The key of a certificate is the declaration's."""

    def secret(name: str) -> str:
        return known_secrets({name: value for server in declared().servers for name, value in server.secrets.items()})(name)

    programs = {"caddy": means.caddy, "haproxy": means.haproxy}
    return OnHostRouter(session, home=home, programs=programs, secret=secret, emit=emit, outside=means.outside)
