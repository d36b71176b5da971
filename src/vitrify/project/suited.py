"""A rollout's strategy as the declaration's parts say it, and whether it suits the server that declares it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Final

from vitrify.core.declaration import Server
from vitrify.core.strategy import BLUE_GREEN, CANARY, DEFAULT_STEPS, RECREATE, ROLLING, Bounds, Manner
from vitrify.project.envelope import ServerPart
from vitrify.project.node import Node, walk
from vitrify.project.problems import Problems
from vitrify.project.serving import RolloutPart

OWNERS: Final[Mapping[str, tuple[str, ...]]] = {
    "steps": (CANARY,),
    "gate": (CANARY,),
    "max_surge": (ROLLING,),
    "max_unavailable": (ROLLING,),
    "pause": (RECREATE,),
    "promote": (BLUE_GREEN, CANARY),
    "preview": (BLUE_GREEN, CANARY),
}
"""Keys that not every strategy has."""


def manner(part: RolloutPart) -> Manner:
    """All that not every strategy has."""
    gate = part.gate
    return Manner(
        steps=tuple(part.steps) if part.steps else DEFAULT_STEPS,
        gate=Bounds(gate.errors.share if gate.errors else None, gate.p95, gate.requests, tuple(gate.command or ())) if gate else None,
        max_surge=part.max_surge,
        max_unavailable=part.max_unavailable,
        pause=part.pause,
        manual=part.promote == "manual",
        preview=part.preview or "",
    )


def suits(part: ServerPart, node: Node, problems: Problems) -> None:
    """Note what makes the declared strategy one that this server cannot have."""
    _of_one_strategy(part, node, problems)
    _needs_route(part, node, problems)
    _needs_one_replica(part, node, problems)


def _of_one_strategy(part: ServerPart, node: Node, problems: Problems) -> None:
    """Note keys that belong to another strategy than the declared one: they would do nothing, and look as if they did."""
    strategy = part.rollout.strategy
    for key in sorted(part.rollout.model_fields_set):
        owners = OWNERS.get(key, (strategy,))
        if strategy not in owners:
            summary = f"`{key}` has no meaning where the strategy is {strategy}"
            problems.add(summary, walk(node, ("rollout", key), key=True), hint=f"it belongs to {' and '.join(owners)}")


def _needs_route(part: ServerPart, node: Node, problems: Problems) -> None:
    """What sends requests here or there has to have some."""
    if part.route is not None:
        return
    wanting = "strategy" if part.rollout.strategy == CANARY else "preview" if part.rollout.preview else ""
    if wanting:
        hint = "as in `route: {router: edge, host: shop.example}`"
        problems.add(f"`{wanting}: {getattr(part.rollout, wanting)}` needs a `route`", walk(node, ("rollout", wanting)), hint=hint)


def _needs_one_replica(part: ServerPart, node: Node, problems: Problems) -> None:
    """What must never run twice is declared once."""
    if part.rollout.strategy == RECREATE and part.replicas > 1:
        hint = "`recreate` is for what must never run twice: `replicas: 1`, or another strategy"
        problems.add(f"{part.replicas} replicas are not one at a time", walk(node, ("replicas",)), hint=hint)


def previews_apart(servers: Iterable[Server], root: Node, problems: Problems) -> None:
    """Note a preview, where it is written, that would get requests which are somebody else's."""
    taken: dict[tuple[str, str], str] = {}
    for server in servers:
        if server.route:
            taken.setdefault((server.route.router.name, server.route.host), f"requests of {server.name} come there")
            taken.setdefault(("", server.route.router.listen), f"the router {server.route.router.name} listens there")
    for server in servers:
        shown = server.rollout.manner
        if server.route and shown.preview:
            place = ("" if shown.previewed_on_its_own else server.route.router.name, shown.preview)
            if place in taken:
                at = walk(root, ("servers", server.name, "rollout", "preview"), owner=server.where)
                hint = "a host name, or an address to listen on, that leads nowhere else"
                problems.add(f"{shown.preview} cannot be the preview of {server.name}", at, why=taken[place], hint=hint)
            taken[place] = f"it is the preview of {server.name}"
