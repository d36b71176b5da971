"""The same look at several hosts, side by side: what each of them told, and why the others could not."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Mapping
from functools import partial
from typing import TypeVar

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.plan import HostProblem
from vitrify.lifecycle.fleet import problem
from vitrify.lifecycle.side_by_side import side_by_side

Told = TypeVar("Told")

_AT_ONCE = 10


async def asked(hosts: Iterable[Host], look: Callable[[Host], Awaitable[Told]]) -> tuple[dict[Host, Told], dict[Host, VitrifyError]]:
    """What each host told, in the order of the hosts, and the errors of those that did not: one that is away is no reason for silence."""
    places = list(hosts)
    found = await side_by_side([partial(look, host) for host in places], at_most=_AT_ONCE)
    told = dict(zip(places, found, strict=True))
    errors = {host: one for host, one in told.items() if isinstance(one, VitrifyError)}
    return {host: one for host, one in told.items() if not isinstance(one, VitrifyError)}, errors


def problems(errors: Mapping[Host, VitrifyError], servers: Mapping[Host, Iterable[str]]) -> tuple[HostProblem, ...]:
    """The same errors as values, one for each server that was looked for on such a host."""
    return tuple(problem(server, host.name, error) for host, error in errors.items() for server in servers[host])
