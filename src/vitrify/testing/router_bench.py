"""What the sentences about routers stand on: a router to be tried, and clients and servers around it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Protocol, TypeVar

from vitrify.core.declaration import Route
from vitrify.ports import Backends, Router

T = TypeVar("T")


@dataclass(frozen=True)
class Reply:
    """An answer; the names of its headers are in lower case."""

    status: int
    body: str
    headers: Mapping[str, str] = field(default_factory=dict)


class RouterBench(Protocol):
    """A router to be tried, and what stands before and behind it."""

    @property
    def router(self) -> Router:
        """The router; each time as another process would find it."""

    def route(self, host: str = "", path: str = "/") -> Route:
        """A route through a router that may listen on this machine."""

    def backend(self, name: str) -> str:
        """The address of something that answers with this name, or with 500 below `/fail`; the same name, the same address."""

    def reply(self, route: Route, path: str = "/", *, headers: Mapping[str, str] | None = None) -> Reply:
        """The answer to a request to the route's host."""

    def request_under_way(self, route: Route) -> AbstractContextManager[None]:
        """Within, a request is being answered."""

    def websocket(self, route: Route) -> AbstractContextManager[Callable[[str], str]]:
        """Within, a WebSocket is open: what is said to it comes back."""

    def restart(self) -> None:
        """The router dies, and is back when this returns."""


def do(story: Coroutine[object, object, T]) -> T:
    """Run one call of a port."""
    return asyncio.run(story)


def to(bench: RouterBench, *names: str) -> Backends:
    """A set of these backends."""
    return Backends("-".join(names), tuple(bench.backend(name) for name in names))


def ask(bench: RouterBench, route: Route, path: str = "/") -> tuple[int, str]:
    """Status and body of the answer to a request to the route's host."""
    reply = bench.reply(route, path)
    return reply.status, reply.body
