"""What the programs that can be a router have in common: how one is written down, started, told and asked."""

from __future__ import annotations

from importlib import import_module
from typing import Callable, ContextManager, List, Mapping, Optional, Protocol, Sequence

from vitrify.core.diagnostic import Denied
from vitrify.core.digest import JSONObject
from vitrify.onhost.routes import HostedRouter
from vitrify.onhost.slots import Leading

_MODULES: Mapping[str, str] = {"caddy": "caddy_engine", "haproxy": "haproxy_engine"}

Act = Callable[[], None]


class Engine(Protocol):
    """One program, by the folder of a router that it is. None of these calls is made by two at once on one folder."""

    told: bool
    """Whether it is told where a server's requests go; else it reads that in the server's folder, for each of them anew."""

    tls: Sequence[str]
    """The kinds of TLS that it can do."""

    def write(self, folder: str, router: HostedRouter) -> None:
        """Write its configuration for this router."""

    def written(self, folder: str, router: HostedRouter) -> bool:
        """Whether the configuration on disk is that."""

    def keep(self, folder: str, program: str) -> JSONObject:
        """What a shim is to keep: `argv`, and the process `environment`."""

    def serves(self, folder: str) -> bool:
        """Whether it answers."""

    def load(self, folder: str, router: HostedRouter) -> bool:
        """Have the one that runs take what was written, and wait until it has; False where it runs with that already."""

    def ready(self, folder: str, server: str, leading: Leading) -> ContextManager[Act]:
        """Have all there that it takes to send a server's requests there, on disk and in the program, but for the word itself.

        Gives what says it, within. That does nothing where the program is not told.
        """

    def settle(self, folder: str, server: str) -> None:
        """Make durable what was led: it comes back with that."""

    def led(self, folder: str, server: str) -> Optional[str]:
        """The set that a server's requests are led to now, from the server's folder; None where that folder alone tells."""

    def kept(self, folder: str, server: str) -> List[str]:
        """Sets that it knows, and that must stay."""

    def in_flight(self, folder: str, addresses: Sequence[str]) -> int:
        """Requests that these addresses are still answering."""

    def logs(self, folder: str) -> List[str]:
        """Its access logs, oldest first."""


def engine(kind: str) -> Engine:
    """The program of this kind; Denied where there is none."""
    if kind not in _MODULES:
        raise Denied(f"there is no router of kind {kind}", hint=f"kinds: {', '.join(_MODULES)}")
    found: Engine = import_module(f"vitrify.onhost.{_MODULES[kind]}").ENGINE
    return found
