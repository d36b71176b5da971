"""Wishes, observations and hosts that tests of the core are made of."""

from __future__ import annotations

from vitrify.core.digest import JSON
from vitrify.core.plan import HostChanges, Owned, Seen, plan_host
from vitrify.core.resource import MISSING, Address, Observation, OnLeave, Properties, Resource
from vitrify.resources.registry import all_kinds

KINDS = all_kinds()


def wish(kind: str, *, absent: bool = False, on_leave: OnLeave = OnLeave.REMOVE, protect: bool = False, **fields: JSON) -> Resource:
    """A wish of this kind; its address follows from its fields."""
    address = Address(kind, KINDS[kind].identity(fields))
    return Resource(address, fields, absent=absent, on_leave=on_leave, protect=protect)


def directory(path: str, **fields: JSON) -> Resource:
    """A wish for a folder: the kind with the fewest fields."""
    return Resource(Address("directory", path), {"path": path, **fields})


def seen(resource: Resource, **properties: JSON) -> Observation:
    """What is there instead of, or as, this wish; nothing where no property is given."""
    return Observation(resource.address, properties or MISSING)


def as_wished(resource: Resource) -> Observation:
    """An observation that leaves nothing to do."""
    return Observation(resource.address, KINDS[resource.address.kind].desired(resource))


def owned(resource: Resource, *, created: bool = True, applied: Properties | None = None) -> Owned:
    """What a host remembers of this wish."""
    return Owned(resource, created=created, applied=applied or {}, run="0123")


def planned(wishes: list[Resource], observations: list[Observation], remembered: list[Owned] | None = None) -> HostChanges:
    """The plan for a host that shows and remembers this; without diffs."""
    shown = {observation.address: observation for observation in observations}
    return plan_host(wishes, Seen(shown, remembered or []), kinds=KINDS, diff=lambda _wish, _seen: "")
