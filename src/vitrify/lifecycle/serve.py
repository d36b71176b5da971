"""The story of `vitrify serve`: whose turn it is gets its turn, each place by itself, until somebody ends it.

| killed                         | the next process                                                                         |
|--------------------------------|------------------------------------------------------------------------------------------|
| between two turns              | begins with all that is due; audits go on by the ledger's time                           |
| in the middle of a turn        | does it again, once the lease is over: at once here, within its minute on another machine |
| in the middle of a replacement | goes on with it under its own name, as the next `apply` would                            |

Nothing of it carries traffic or keeps an instance alive: shims and routers do, and know nothing of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from math import inf
from typing import Protocol

from vitrify.core.diagnostic import Busy, TargetUnreachable, VitrifyError
from vitrify.core.event import Stage
from vitrify.core.served import BUSY, DONE, FAILED, UNREACHABLE, Served, Turn
from vitrify.lifecycle.duty import Charge, Duty, Job
from vitrify.lifecycle.serve_board import Place
from vitrify.lifecycle.serve_turns import Timetable
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.world import World

BEAT = 5.0
"""Seconds between two looks at what is due, at the most: a declaration that changed counts from then on."""


Running = dict[tuple[str, ...], asyncio.Task[None]]
"""Line -> the job of it that has its turn."""


class Reading(Protocol):
    """Reads what there is to look after."""

    async def __call__(self, *, idle: bool) -> Charge:
        """As it is declared now. `idle`: nobody uses any more what earlier calls gave."""


async def once(duties: Sequence[Duty], charge: Charge, *, parallel: int) -> Served:
    """One turn of each duty, those of one place one after the other; of what only listens, which ends when it is told to, none.

    And none of what is never to be done.
    """
    jobs = [job for duty in duties for job in duty.jobs(charge) if not job.apart and job.every < inf]
    places = list(dict.fromkeys(job.place for job in jobs))

    async def all_of(place: Place) -> list[Turn]:
        return [await turn(job, charge) for job in jobs if job.place == place]

    found = await side_by_side([partial(all_of, place) for place in places], at_most=parallel)
    return Served(tuple(each for turns in found if isinstance(turns, list) for each in turns))


async def serve(duties: Sequence[Duty], reading: Reading, *, parallel: int) -> None:
    """Turn after turn, until this is cancelled; a turn that is under way then is cancelled as well, and given back."""
    timetable, running = Timetable(), Running()
    try:
        while True:
            charge = await reading(idle=not running)
            clock, board = charge.world.clock, charge.board
            board.beat_at = clock.now()
            jobs = [job for duty in duties for job in duty.jobs(charge)]
            board.keep_to({(job.duty, job.place) for job in jobs})
            timetable.settle(jobs, now=clock.monotonic(), wall=clock.now())
            for job in timetable.due(now=clock.monotonic(), busy=running.keys()):
                if job.apart or _at_work(running) < parallel:
                    running[job.line] = asyncio.create_task(_turned(job, charge, timetable))
            await _next(running, timetable, charge.world, at_most=BEAT)
    finally:
        for task in running.values():
            task.cancel()
        await asyncio.gather(*running.values(), return_exceptions=True)


def _at_work(running: Running) -> int:
    """How many jobs do something, and not only listen."""
    return sum(len(line) == len(("server", "host")) for line in running)  # as in `Job.line`


async def _next(running: Running, timetable: Timetable, world: World, *, at_most: float) -> None:
    """Until something ended, or somebody's turn comes."""
    wait = timetable.wait(now=world.clock.monotonic(), busy=running.keys(), at_most=at_most)
    # Nothing to wait for means that as many run as may: what is due waits for one of them to end.
    pause = asyncio.create_task(world.clock.sleep(wait or at_most))
    try:
        await asyncio.wait({pause, *running.values()}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        pause.cancel()
    for line in [line for line, task in running.items() if task.done()]:
        running.pop(line).result()


async def _turned(job: Job, charge: Charge, timetable: Timetable) -> None:
    ended = await turn(job, charge)
    timetable.ended(job, ended.outcome, now=charge.world.clock.monotonic())


async def turn(job: Job, charge: Charge) -> Turn:
    """One turn of one job; whatever goes wrong with it is told, and is no other job's business."""
    begun = charge.world.clock.monotonic()
    try:
        outcome, told = DONE, await job.act()
    except Busy as error:
        outcome, told = BUSY, error.diagnostics[0].summary
    except TargetUnreachable as error:
        outcome, told = UNREACHABLE, error.diagnostics[0].summary
    except VitrifyError as error:
        outcome, told = FAILED, error.diagnostics[0].summary
    except Exception as error:  # noqa: BLE001  who looks after many servers does not fall over what nobody foresaw on one of them
        outcome, told = FAILED, f"{type(error).__name__}: {error}"
    ended = Turn(job.duty, job.server, outcome, told, job.host)
    before = charge.board.turned(ended, at=charge.world.clock.now(), seconds=charge.world.clock.monotonic() - begun)
    if ended != before:
        _tell(ended, charge.world.say, failed=before is not None and before.outcome in (FAILED, UNREACHABLE))
    return ended


def _tell(ended: Turn, say: Callable[..., None], *, failed: bool) -> None:
    """What was done, and what went wrong, once for as long as it stays the same; a turn that found all in order says nothing."""
    subject = " on ".join(filter(None, (ended.server, ended.host)))
    if ended.outcome == DONE:
        told = ended.told or ("in order again" if failed else "")
        if told:
            say(f"serve.{ended.duty}", subject, told, stage=Stage.DONE)
        return
    say(f"serve.{ended.duty}", subject, ended.told, stage=Stage.NOTICE if ended.outcome == BUSY else Stage.FAILED)
