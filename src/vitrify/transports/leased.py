"""A session by whose calls one server is changed: each presents the token of a lease, which the host refuses once it holds no more."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress

from vitrify.core.declaration import Content
from vitrify.core.diagnostic import Busy, TargetFailed, VitrifyError
from vitrify.core.digest import JSONObject
from vitrify.core.event import Emit, silence
from vitrify.onhost.identity import boot_id
from vitrify.onhost.tenant import Tenant
from vitrify.ports import Session


class LeasedSession:
    """A `Session` that presents the lease `place` (where it is kept, of which server) by its `token`."""

    def __init__(self, session: Session, place: JSONObject, *, token: int) -> None:
        self._session = session
        self._place = place
        self.token = token

    async def call(
        self, name: str, arguments: JSONObject, *, contents: Mapping[str, Content] | None = None, emit: Emit = silence
    ) -> JSONObject:
        """Run one of the payload's calls by the lease; `Busy` where that was lost."""
        lease: JSONObject = {**self._place, "token": self.token}
        return await self._session.call(name, {**arguments, "lease": lease}, contents=contents, emit=emit)

    async def close(self) -> None:
        """End the payload; repeating it is harmless."""
        await self._session.close()


@asynccontextmanager
async def leased(session: Session, place: JSONObject, wish: JSONObject) -> AsyncIterator[LeasedSession]:
    """Acquire the lease, renew it while this lasts, and give it back; `Busy` where somebody else has it."""
    given = await _acquired(session, place, wish)
    token, seconds = given.get("token"), given.get("seconds")
    if not (isinstance(token, int) and isinstance(seconds, (int, float))):
        raise TargetFailed("the host's answer holds no lease", hint="the payload and this program differ; run the command again")
    held, done = LeasedSession(session, place, token=token), asyncio.Event()
    from vitrify.onhost.lease import BEATS  # who only looks holds no lease

    heart = asyncio.create_task(_beat(held, done, every=seconds / BEATS))
    try:
        yield held
    finally:
        done.set()  # never cancelled: a call that is cancelled ends its payload
        await heart
        with suppress(VitrifyError):  # the host may be gone, or the lease lost: then there is nothing to give back
            await held.call("lease.release", {})


async def _acquired(session: Session, place: JSONObject, wish: JSONObject) -> JSONObject:
    try:
        return await session.call("lease.acquire", {"lease": {**place, **wish}})
    except Busy:
        # A host cannot see that a process of this machine has ended; we can, and then nobody needs to wait.
        last = (await session.call("lease.show", {"lease": place})).get("last")
        holder = Tenant.from_json(last.get("process")) if isinstance(last, dict) else None
        if holder is None or not isinstance(last, dict) or holder.boot != boot_id() or not holder.gone(kernel=holder.boot):
            raise
        lease: JSONObject = {**place, "token": last["token"]}
        await session.call("lease.release", {"lease": lease, "why": "its process has ended"})
        return await session.call("lease.acquire", {"lease": {**place, **wish}})


async def _beat(held: LeasedSession, done: asyncio.Event, *, every: float) -> None:
    """Tell the host now and then that we are still there; whatever lost the lease is told by the next call that needs it."""
    while True:
        with suppress(TimeoutError):
            await asyncio.wait_for(done.wait(), every)
        if done.is_set():
            return
        try:
            await held.call("lease.renew", {})
        except VitrifyError:
            return
