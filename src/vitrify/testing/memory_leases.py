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
        """Act by a lease that lasts as long as this does; by one that is kept, for longer."""
        lease = self._gone_on_by(wish) if wish.token else self._given(wish, bound=not wish.kept)
        stands = wish.token > 0
        try:
            yield lease
            stands = wish.kept
        finally:
            self._last = lease.renewed(self._moment()) if stands else replace(lease, released="it was done")

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

    def _gone_on_by(self, wish: Wish) -> Lease:
        last, moment = self._last, self._moment()
        same = last is not None and last.token == wish.token and not last.released
        if last is None or not same or (last.expired(moment) and not (last.operation and last.operation == wish.operation)):
            raise lost(self._server, wish.token, last)
        self._last = replace(last.renewed(moment), by=wish.by or last.by, process=wish.process or last.process)
        return self._last

    def _given(self, wish: Wish, *, bound: bool) -> Lease:
        standing, moment = self.standing(), self._moment()
        if standing and not (wish.over and standing.operation == wish.operation):
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
