"""Leases as the stories use them: what one is asked for with, holding one, and waiting until somebody else has given theirs back."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import TypeVar

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import Busy
from vitrify.core.digest import JSONObject
from vitrify.core.event import Stage
from vitrify.core.plan import HostPlan, ReleasePlan
from vitrify.lifecycle.world import Site, World

PAUSE = 0.5
"""Seconds between two attempts to get a lease that somebody else has."""

Result = TypeVar("Result")


def asked_for(reason: str, world: World, *, operation: str = "") -> JSONObject:
    """What a lease is asked for with: who we are, what for, and which process, so that others see when that is gone."""
    return {
        "by": world.author,
        "reason": reason,
        "operation": operation,
        "process": world.process,
        "seconds": world.lease_seconds,
        **world.tenure.wish(),
    }


def ended_here(lease: JSONObject) -> bool:
    """Whether whoever holds a lease was a process of this machine, and has ended: what another host cannot see."""
    from vitrify.onhost.tenant import Tenant

    holder = Tenant.from_json(lease.get("process"))
    return holder is not None and holder.ended_here()


@asynccontextmanager
async def holding(server: str, host: Host, world: World, *, reason: str) -> AsyncIterator[Site]:
    """The site where a server's instances run, while nobody else may change that server; `Busy` where somebody is at it."""
    async with AsyncExitStack() as stack:

        async def entered() -> Site:
            return await stack.enter_async_context(world.leased(host, server, asked_for(reason, world)))

        site = await when_free(entered, server, world)
        if host.is_remote:
            from vitrify.lifecycle.testimony import testify  # it knows the stories, which know of leases

            await testify(site.session, server, host, world)
        yield site


async def when_free(act: Callable[[], Awaitable[Result]], server: str, world: World) -> Result:
    """Do it; where somebody else holds the lease, again and again for as long as `--wait` allows, and `Busy` in the end."""
    begun, told = world.clock.monotonic(), ""
    while True:
        try:
            return await act()
        except Busy as error:
            waited, summary = world.clock.monotonic() - begun, error.diagnostics[0].summary
            if waited >= world.wait:
                raise
            if told != summary:
                world.say("wait", server, f"{summary}; Ctrl-C ends the waiting, and nothing else")
            told = summary
            world.say("wait", server, f"{summary}, {waited:.0f} s so far", stage=Stage.PROGRESS)
            await world.clock.sleep(min(PAUSE, world.wait - waited))


def refuse_held(plans: Iterable[HostPlan | ReleasePlan]) -> None:
    """`Busy` where somebody is changing one of these hosts at this very moment: what was looked at is about to be something else."""
    for plan in plans:
        if isinstance(plan, HostPlan) and plan.held:
            raise Busy(
                f"{plan.server} is being changed on {plan.host}",
                why=plan.held,
                hint=f"`--wait` waits until that has ended; `vitrify lease show {plan.server}` tells more, and nothing has to be unlocked",
            )
