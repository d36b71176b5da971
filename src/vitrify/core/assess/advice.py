"""What follows from the figures: which server to flip next and what is in the way, and what else would cost less."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from vitrify.core.assess.figure import Known, Unknown
from vitrify.core.assess.measured import Measured
from vitrify.core.declaration import Lifecycle
from vitrify.core.digest import JSON, JSONObject

FLIP, PATCH, REHEARSE, WATCH, FORESEE = "flip", "patch", "rehearse", "watch", "foresee"
OLD = 30 * 86_400.0
"""Seconds without a patch after which that is a reason of its own."""
_MOST_OPAQUE = 0.25
_SPOKEN = {FLIP: "flip next", PATCH: "patch", REHEARSE: "rehearse", WATCH: "watch", FORESEE: "foresee"}


@dataclass(frozen=True)
class Advice:
    """One thing to do about one server: why, what is in the way, and the command, where one does it."""

    what: str
    server: str
    because: tuple[str, ...]
    obstacles: tuple[str, ...] = ()
    command: str = ""

    @property
    def spoken(self) -> str:
        """What to do, in words."""
        return _SPOKEN[self.what]

    def to_json(self) -> JSONObject:
        """As the document has it."""
        because: list[JSON] = [*self.because]
        obstacles: list[JSON] = [*self.obstacles]
        return {"what": self.what, "server": self.server, "because": because, "obstacles": obstacles, "command": self.command}


def advice(servers: Sequence[Measured]) -> tuple[Advice, ...]:
    """The most worthwhile first: flips by what they spare, those with nothing in the way before others."""
    flips = sorted((one for one in map(_flip, servers) if one), key=lambda found: _rank(found, servers))
    others = [one for server in servers for one in _others(server, flipping=any(flip.server == server.server for flip in flips))]
    return (*flips, *others)


def _flip(one: Measured) -> Advice | None:
    because = tuple(_reasons(one)) if one.lifecycle is Lifecycle.MUTABLE else ()
    command = "set `lifecycle: immutable`, then `vitrify plan` tells the whole of it"
    return Advice(FLIP, one.server, because, one.obstacles, command) if because else None


def _reasons(one: Measured) -> Iterator[str]:
    if isinstance(one.unauthorised, Known) and one.unauthorised.value:
        count = round(one.unauthorised.value)
        yield f"{count} unauthorised change{'' if count == 1 else 's'}, which no instance would keep"
    if one.security:
        yield f"{one.security} package{'' if one.security == 1 else 's'} behind for security, which a release would bring in one step"
    elif isinstance(one.patched, Known) and one.patched.value > OLD:
        yield f"not patched for {one.patched.value / 86_400:.0f} days"
    if isinstance(one.opaque, Known) and one.opaque.value > _MOST_OPAQUE:
        yield f"{one.opaque.value:.0%} of what was changed is commands: in an image they run once, and never on a host that serves"


def _rank(found: Advice, servers: Sequence[Measured]) -> tuple[bool, float, int, float, str]:
    one = next(server for server in servers if server.server == found.server)
    count = one.unauthorised.value if isinstance(one.unauthorised, Known) else 0.0
    age = one.patched.value if isinstance(one.patched, Known) else 0.0
    return bool(found.obstacles), -count, -one.security, -age, found.server


def _others(one: Measured, *, flipping: bool) -> Iterator[Advice]:
    image = one.lifecycle is Lifecycle.IMMUTABLE
    if one.security and not flipping:
        command = f"vitrify update {one.server}" if image else f"vitrify outdated --limit {one.server} --security"
        yield Advice(PATCH, one.server, (f"{one.security} behind for security",), command=command)
    elif image and isinstance(one.patched, Known) and one.patched.value > OLD:
        told = f"its image was made {one.patched.value / 86_400:.0f} days ago"
        yield Advice(PATCH, one.server, (told,), command=f"vitrify update {one.server}")
    if isinstance(one.change, Known) and isinstance(one.back, Unknown):
        command = f"vitrify {'rollback' if image else 'undo'} {one.server}"
        yield Advice(REHEARSE, one.server, ("nobody knows how long the way back takes",), command=command)
    if isinstance(one.drift, Unknown):
        yield Advice(WATCH, one.server, ("nobody knows what changes there",), command="vitrify serve")
    if image and isinstance(one.opaque, Known) and one.opaque.value > _MOST_OPAQUE:
        because = f"{one.opaque.value:.0%} of what its releases changed is commands, whose effect no plan can tell"
        yield Advice(FORESEE, one.server, (because,), command="declare files, packages and users in their place")
