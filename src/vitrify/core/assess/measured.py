"""What a server costs, measured: from its operations, its trend, and what its hosts told."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from vitrify.core.amounts import ago
from vitrify.core.assess.figure import Figure, Known, Unknown, middle
from vitrify.core.assess.operations import BACK, CHANGE, Done
from vitrify.core.declaration import Lifecycle, Server
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.report import Outdated
from vitrify.core.resource import Address
from vitrify.core.strategy import peak, strategy_of
from vitrify.core.trend import ServerTrend

OPAQUE = frozenset({"command", "script"})
"""Kinds of which nobody can foresee what a change of theirs does."""


@dataclass(frozen=True)
class Looked:
    """What was seen of a server, besides what the ledger tells."""

    server: Server
    behind: tuple[Outdated, ...] = ()
    """How its hosts, or its image, stand against what their package sources offer."""
    releases: tuple[Mapping[str, str], ...] = ()
    """The resources (address -> digest) of its releases, oldest first."""
    obstacles: tuple[str, ...] = ()
    """What is in the way of its flip to immutable, in words; of a server that is immutable nothing."""


@dataclass(frozen=True)
class Window:
    """So many days until now (seconds since the epoch)."""

    days: int
    now: float

    @property
    def said(self) -> str:
        """In words."""
        return "in the last day" if self.days == 1 else f"in the last {self.days} days"


@dataclass(frozen=True)
class Measured:
    """The figures of one server. Times in seconds, shares of 1."""

    server: str
    lifecycle: Lifecycle
    drift: Figure
    """Unauthorised changes a day, on each host or in each instance."""
    unauthorised: Figure
    """How many, and how many of them last."""
    patched: Figure
    """Since packages last changed there, or since the live image was made."""
    change: Figure
    """From the durable intent of a change until it was there for whoever asks, its baking included."""
    back: Figure
    extra: Figure
    """Instances more than declared while a release goes out, as a share of those declared."""
    size: Figure
    """Bytes that a change brought to its hosts, or into its image."""
    opaque: Figure
    """Of all that was changed, what was commands."""
    security: int = 0
    """Packages that are behind for security."""
    obstacles: tuple[str, ...] = ()

    @property
    def figures(self) -> Mapping[str, Figure]:
        """By name, in the order in which they are shown."""
        names = ("drift", "unauthorised", "patched", "change", "back", "extra", "size", "opaque")
        return {name: getattr(self, name) for name in names}

    def to_json(self) -> JSONObject:
        """As the document has it."""
        figures: JSONObject = {name: figure.to_json() for name, figure in self.figures.items()}
        obstacles: list[JSON] = [*self.obstacles]
        return {"server": self.server, "lifecycle": self.lifecycle.value, **figures, "security": self.security, "obstacles": obstacles}


def measured(looked: Looked, trend: ServerTrend | None, done: Sequence[Done], window: Window) -> Measured:
    """One server. `done` is what was done to it in the window; no `trend` is what nobody looked at."""
    server, image = looked.server, looked.server.lifecycle is Lifecycle.IMMUTABLE
    changes = [one for one in done if one.sort == CHANGE]
    backs = [one for one in done if one.sort == BACK]
    nothing = f"{'released' if image else 'changed in place'} {window.said}"
    drift, unauthorised = _drift(server, trend, window)
    return Measured(
        server=server.name,
        lifecycle=server.lifecycle,
        drift=drift,
        unauthorised=unauthorised,
        patched=_patched(looked.behind, window.now, image=image),
        change=middle([one.seconds for one in changes], otherwise=f"nothing was {nothing}"),
        back=middle([one.seconds for one in backs], otherwise=f"nothing was {'rolled back' if image else 'undone'} {window.said}"),
        extra=_extra(server),
        size=_size(changes, nothing),
        opaque=_opaque(looked, changes, window, image=image),
        security=sum(package.security for row in looked.behind for package in row.packages),
        obstacles=looked.obstacles,
    )


def places(server: Server) -> int:
    """Hosts that it is changed on, or instances that it should be."""
    return len(server.hosts) * (server.replicas if server.lifecycle is Lifecycle.IMMUTABLE else 1)


def _drift(server: Server, trend: ServerTrend | None, window: Window) -> tuple[Figure, Figure]:
    if trend is None:
        why = Unknown(f"the ledger tells of no look at it {window.said}")
        return why, why
    lasting = f"{trend.lasting} of them not put right yet" if trend.lasting else ""
    return Known(trend.per_day / max(places(server), 1), trend.found), Known(float(trend.found), trend.found, told=lasting)


def _patched(rows: Sequence[Outdated], now: float, *, image: bool) -> Figure:
    """Of several hosts the one that was patched longest ago."""
    stamps = [stamp for row in rows if (stamp := row.made_at if image else row.patched_at) is not None]
    if not stamps:
        problem = next((row.problem for row in rows if row.problem), "")
        return Unknown(problem or ("no release of it is live" if image else "no package manager that is known tells"))
    behind = sum(len(row.packages) for row in rows)
    security = sum(package.security for row in rows for package in row.packages)
    told = f"{behind} behind" + (f", {security} for security" if security else "") if behind else ""
    return Known(max(now - min(stamps), 0.0), len(stamps), told=told)


def _extra(server: Server) -> Figure:
    if server.lifecycle is Lifecycle.MUTABLE:
        return Known(0.0, told="changed where it stands")
    manner, declared = server.rollout.manner, server.rollout.strategy
    strategy = strategy_of(declared, "release", live=True, route=server.route is not None)
    more = peak(strategy, manner, replicas=server.replicas, launch=server.replicas)
    warm = f", and those before kept warm for {ago(server.rollout.keep_warm)}" if server.rollout.keep_warm else ""
    return Known(more / server.replicas, told=f"{more} more, by {strategy}{warm}")


def _size(changes: Sequence[Done], nothing: str) -> Figure:
    sizes = [float(one.sent) for one in changes if one.sent is not None]
    return middle(sizes, otherwise=f"nothing was {nothing}" if not changes else "the ledger does not tell how much was sent")


def _opaque(looked: Looked, changes: Sequence[Done], window: Window, *, image: bool) -> Figure:
    if image:
        pairs = zip(({}, *looked.releases), looked.releases, strict=False)
        addresses = [address for before, now in pairs for address in _moved(before, now)]
        why = "no release of it is known"
    else:
        addresses = [address for one in changes for address in one.addresses]
        why = f"nothing was changed in place {window.said}"
    if not addresses:
        return Unknown(why)
    opaque = sum(Address.parse(address).kind in OPAQUE for address in addresses)
    return Known(opaque / len(addresses), len(addresses), told=f"{opaque} of {len(addresses)}")


def _moved(before: Mapping[str, str], now: Mapping[str, str]) -> list[str]:
    return [address for address in sorted({*before, *now}) if before.get(address) != now.get(address)]
