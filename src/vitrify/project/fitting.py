"""What has no meaning in an image is dropped from its wishes with one notice, or refused where the server says so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from vitrify.core.resource import Kinds, Phase, Resource
from vitrify.project.problems import Problems

SHOWN = 5


def fitted(
    resources: Sequence[Resource], *, kinds: Kinds, refuse: bool, problems: Problems
) -> tuple[tuple[Resource, ...], tuple[str, ...]]:
    """The wishes as an image can hold them, and the notice; with `refuse` each thing dropped is noted where it stands."""
    dropped = [(resource, _without_meaning(resource, kinds)) for resource in resources]
    for resource, names in dropped if refuse else ():
        if names and resource.where:
            hint = "leave it out, or write `on_image: drop` at the server: then it counts on live hosts alone"
            problems.add(f"{_spoken(names)} of `{resource.address}` has no meaning in an image", resource.where, hint=hint)
    fit = tuple(
        replace(resource, fields={name: value for name, value in resource.fields.items() if name not in names})
        for resource, names in dropped
        if Phase.BAKE in kinds[resource.address.kind].phases
    )
    return fit, tuple(_notice([(resource, names) for resource, names in dropped if names]))


def _without_meaning(resource: Resource, kinds: Kinds) -> tuple[str, ...]:
    """The fields that count on a live host alone; `*` for a kind that acts nowhere else."""
    kind = kinds[resource.address.kind]
    if Phase.BAKE not in kind.phases:
        return ("*",)
    return tuple(name for name in resource.fields if name in kind.live_only)


def _spoken(names: Sequence[str]) -> str:
    return "all" if names == ("*",) else ", ".join(f"`{name}`" for name in names)


def _notice(dropped: Sequence[tuple[Resource, Sequence[str]]]) -> Iterator[str]:
    if not dropped:
        return
    shown = "; ".join(f"{_spoken(names)} of `{resource.address}`" for resource, names in dropped[:SHOWN])
    more = f"; and {len(dropped) - SHOWN} more" if len(dropped) > SHOWN else ""
    yield f"has no meaning in an image and is left out there: {shown}{more}"
