"""The lease of one server in memory: the rules of the real one, without its files and processes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace

from vitrify.onhost.lease import Lease, Moment, Wish, busy, lost
from vitrify.ports import Leases


class MemoryLeases:
    """A `Leases`. `moment` is what its host's clocks say."""

    def __init__(self, server: str, moment: Callable[[], Moment]) -> None:
        self._server, self._moment = server, moment
        self._last: Lease | None = None

    def acquire(self, wish: Wish) -> Lease:
        """A lease with the next token."""
        return self._given(wish, bound=False)

    @contextmanager
    def held(self, wish: Wish) -> Iterator[Lease]:
        """Act by a lease that lasts as long as this does."""
        lease = self._given(wish, bound=True)
        try:
            yield lease
        finally:
            self._last = replace(lease, released="it was done")

    @contextmanager
    def presented(self, token: int) -> Iterator[Lease]:
        """Act by a lease that was acquired before, and is renewed by that."""
        last, moment = self._last, self._moment()
        if last is None or last.token != token or last.released or last.expired(moment):
            raise lost(self._server, token, last)
        self._last = last.renewed(moment)
        yield self._last

    def release(self, token: int, *, why: str = "it was given back") -> Lease | None:
        """Give back the lease of this token, or whichever there is."""
        last = self._last
        if last is None or last.released or (token and last.token != token):
            return None
        self._last = replace(last, released=why)
        return last

    def standing(self) -> Lease | None:
        """The lease that keeps everybody else out now."""
        return None if self._last is None or self._last.over(self._moment()) else self._last

    def _given(self, wish: Wish, *, bound: bool) -> Lease:
        standing, moment = self.standing(), self._moment()
        if standing:
            raise busy(self._server, standing)
        self._last = Lease.following(self._last, wish, moment, bound=bound)
        return self._last


class Fenced:
    """A port whose every call presents a token first: what lost its lease does nothing."""

    def __init__(self, port: object, leases: Leases, token: int) -> None:
        self._port, self._leases, self._token = port, leases, token

    def __getattr__(self, name: str) -> object:
        found: Callable[..., object] = getattr(self._port, name)

        def call(*given: object, **named: object) -> object:
            with self._leases.presented(self._token):
                return found(*given, **named)

        return call
