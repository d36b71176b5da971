"""One move of one server over several hosts, in waves: forward on all of them, or back on all of them.

Each host goes as far as there is a way back from (`rollout.forward`). Once all that may not fail have come there, that is judged, and each
lets go of what served before (`rollout.settle`). Where more failed than may, that is judged, and each goes back. The ledger holds the
judgement before anybody acts on it, so whoever comes next acts on it as well. Where a release waits for somebody, every host comes to the
same place, and nothing is judged: a promotion is one entry of the ledger for all of them, and each host notes it when it goes on.

| killed behind                  | traffic is on             | the same command again                                    |
|--------------------------------|---------------------------|-----------------------------------------------------------|
| waves.intended, in any wave    | new where it came so far  | goes on on each host, with the same release, and judges it |
| waves.promoted                 | as far as each host came  | goes on from there on each host, without being asked again |
| waves.passed                   | new                       | settles where that was not done                           |
| waves.failed                   | new where not yet back    | takes back where that was not done, and says why           |

A host that is lost meanwhile keeps what it has. When it is there again, its part is taken back or settled as was judged, and the next
apply brings it to what the others have.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import partial
from typing import TypeVar

from vitrify.core.batch import Pace
from vitrify.core.diagnostic import PreviousStillServing, VitrifyError
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Stage
from vitrify.core.phase import Phase
from vitrify.core.plan import HostProblem
from vitrify.core.report import Applied, Released
from vitrify.lifecycle import record
from vitrify.lifecycle.collection import tidy
from vitrify.lifecycle.fleet import problem
from vitrify.lifecycle.immutable import reopened
from vitrify.lifecycle.operation import Rollout
from vitrify.lifecycle.rollout import Forward, forward, settle, take_back
from vitrify.lifecycle.settings import SecretValue
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.strategy.forward import let_go_on
from vitrify.lifecycle.verdict import ENDED, FAILED, INTENDED, PASSED, PROMOTED, promoted, unended, wave_of
from vitrify.lifecycle.world import Site, World

Result = TypeVar("Result")

Begin = Callable[[str], Awaitable[Rollout]]
"""Opens the operation of one host, or goes on with it, as part of the rollout of this name."""


@dataclass(frozen=True)
class Move:
    """What is to happen to a server. Two moves with the same aim are one, cut short and taken up again."""

    server: str
    aim: str
    world: World
    secret: SecretValue
    pace: Pace = field(default_factory=Pace)
    parallel: int = 10
    missing: int = 0
    """Hosts that it cannot come to at all: they have failed before it begins."""

    def enough(self, failed: int, *, of: int) -> bool:
        """Whether so many failures of so many hosts that it comes to end it."""
        return self.pace.enough(failed + self.missing, of=of + self.missing)

    async def on_each(self, jobs: Mapping[str, Callable[[], Awaitable[Result]]]) -> tuple[dict[str, Result], dict[str, VitrifyError]]:
        """Do these on their hosts, side by side: the results, and the errors."""
        if len(jobs) == 1:  # who is alone needs no task, and ends as it would by itself
            ((host, job),) = jobs.items()
            try:
                return {host: await job()}, {}
            except VitrifyError as error:
                return {}, {host: error}
        ended = dict(zip(jobs, await side_by_side(list(jobs.values()), at_most=self.parallel), strict=True))
        errors = {host: one for host, one in ended.items() if isinstance(one, VitrifyError)}
        return {host: one for host, one in ended.items() if not isinstance(one, VitrifyError)}, errors


@dataclass(frozen=True)
class Asked:
    """A promotion: this release goes on from this stage, or from it to the end."""

    release: int
    stage: int
    everything: bool = False


@dataclass(frozen=True)
class Wave:
    """A move as the ledger knows it: under one name, since one entry."""

    move: Move
    operation: str
    since: int

    def note(self, kind: str, **more: JSON) -> None:
        """Tell the ledger, once for each kind."""
        body: JSONObject = {"operation": self.operation, "server": self.move.server, "aim": self.move.aim, **more}
        record.once(self.move.world.ledger, kind, body, since=self.since)

    def promote(self, asked: Asked) -> None:
        """Tell the ledger that all hosts go on: not once for each kind, since a rollout may wait several times."""
        about: JSONObject = {"operation": self.operation, "server": self.move.server, "aim": self.move.aim}
        self.move.world.ledger.append(PROMOTED, {**about, **asdict(asked)})


async def carry_out(move: Move, stops: Mapping[str, Begin], *, asked: Asked | None = None) -> Applied:
    """Bring the move to these hosts (name -> what begins it there), wave by wave, as far as it waits for nobody.

    `PreviousStillServing` once all of them are back at what they had.
    """
    wave, begun = _begun(move, stops), move.world.clock.monotonic()
    if asked:
        wave.promote(asked)
    there: dict[str, tuple[Rollout, Forward]] = {}
    failed: dict[str, VitrifyError] = {}
    batches = move.pace.batches(list(stops))
    held: tuple[str, ...] = ()
    for number, batch in enumerate(batches, start=1):
        if batches[1:]:
            move.world.say("wave", move.server, f"{number} of {len(batches)}: {', '.join(batch)}", stage=Stage.STARTED)
        came, errors = await move.on_each({host: partial(_forward, stops[host], wave.operation) for host in batch})
        there, failed = {**there, **came}, {**failed, **errors}
        if move.enough(len(failed), of=len(stops)):
            held = tuple(host for rest in batches[number:] for host in rest)
            break
    if there and not move.enough(len(failed), of=len(stops)):
        if any(reached.waits for _, reached in there.values()):
            return await _left_waiting(wave, there, failed)
        wave.note(PASSED, hosts=[*there], failed=_reasons(failed))
        released, lost = await move.on_each({host: partial(_settled, *one) for host, one in there.items()})
        return _passed(wave, released, {**failed, **lost}, seconds=move.world.clock.monotonic() - begun)
    wave.note(FAILED, failed=_reasons(failed))
    went = {host: rollout for host, (rollout, _) in there.items()}
    behind, errors = await _come_before(wave, {host: stops[host] for host in held})
    left = tuple(host for host in held if host not in (*behind, *errors))
    return await _gone_back(wave, {**went, **behind}, {**failed, **errors}, held=left)


def _begun(move: Move, stops: Mapping[str, Begin]) -> Wave:
    left, world = unended(move.server, move.world), move.world
    wave = Wave(move, str(left.body["operation"]), left.sequence) if left else Wave(move, world.identify(), world.ledger.size)
    wave.note(INTENDED, hosts=[*stops], missing=move.missing, **move.pace.to_json())
    return wave


async def _come_before(wave: Wave, stops: Mapping[str, Begin]) -> tuple[dict[str, Rollout], dict[str, VitrifyError]]:
    """Of hosts whose turn it was not: the rollouts of those that came somewhere in an earlier command. They go back with the others."""
    move = wave.move
    there = [host for host in stops if move.world.state.open_operation(move.server, host)]
    return await move.on_each({host: partial(stops[host], wave.operation) for host in there})


async def _forward(begin: Begin, wave: str) -> tuple[Rollout, Forward]:
    rollout = await begin(wave)
    number = rollout.release.number
    rollout.world.say(rollout.operation.kind, rollout.server, f"release {number} on {rollout.host.name}", stage=Stage.STARTED)
    return rollout, await _as_far(rollout)


async def _as_far(rollout: Rollout) -> Forward:
    """Forward, to where nobody has let all hosts go on yet."""
    await _promoted(rollout)
    while (reached := await forward(rollout)).waits and await _promoted(rollout):
        pass
    return reached


async def _promoted(rollout: Rollout) -> bool:
    """Whether all hosts go on from where this one stands; then it is noted here as well."""
    if not rollout.standing.is_at(Phase.WAITING, Phase.CANARY):
        return False
    everything = promoted(rollout.now(), rollout.world, wave=rollout.intended.wave)
    if everything is not None:
        await let_go_on(rollout, everything=everything)
    return everything is not None


async def _left_waiting(wave: Wave, there: Mapping[str, tuple[Rollout, Forward]], failed: Mapping[str, VitrifyError]) -> Applied:
    """As far as it may go for now: nothing is judged, and no host lets go of anything."""
    on = [host for host, (_, reached) in there.items() if reached.waits]
    held = {host: replace(reached, waits=reached.waits or f"waits on {', '.join(on)}") for host, (_, reached) in there.items()}
    released, lost = await wave.move.on_each({host: partial(settle, rollout, held[host]) for host, (rollout, _) in there.items()})
    return Applied(releases=tuple(released.values()), problems=_problems(wave.move, {**failed, **lost}))


async def _settled(rollout: Rollout, reached: Forward) -> Released:
    released = await settle(rollout, reached)
    await tidy(rollout.server, rollout.site, rollout.world)
    return released


def _passed(wave: Wave, released: Mapping[str, Released], failed: Mapping[str, VitrifyError], *, seconds: float) -> Applied:
    move = wave.move
    wave.note(ENDED, verdict=PASSED, left=[*failed])
    if any(one.kind == "release" for one in released.values()):
        move.world.ledger.append("release.timed", {"server": move.server, "ms": round(seconds * 1000)})
    stopped = move.enough(len(failed), of=len(released) + len(failed))
    return Applied(releases=tuple(released.values()), problems=_problems(move, failed), stopped=stopped)


async def _gone_back(wave: Wave, there: Mapping[str, Rollout], failed: Mapping[str, VitrifyError], *, held: Sequence[str]) -> Applied:
    """All that came through goes back. Whoever could not say that it is back is told as such, and finished by whoever comes next."""
    move, culprits = wave.move, ", ".join(failed)
    _, lost = await move.on_each({host: partial(take_back, one, reason=f"it failed on {culprits}") for host, one in there.items()})
    left = {host: error for host, error in {**failed, **lost}.items() if not isinstance(error, PreviousStillServing)}
    wave.note(ENDED, verdict=FAILED, left=[*left])
    why = "; ".join(f"{host}: {_cause(error)}" for host, error in failed.items())
    if not left:
        raise still_serving(move, why, hosts=(*there, *failed, *held))
    back = tuple(host for host in (*there, *failed) if host not in left)
    returned = tuple(Released(move.server, "returned", _live(move, host), None, "", (), host=host) for host in back)
    return Applied(
        releases=returned,
        problems=_problems(move, {**{host: failed[host] for host in failed if host not in left}, **left}),
        held=tuple((move.server, host) for host in held),
        stopped=True,
    )


async def finish(move: Move, sites: Mapping[str, Site]) -> Applied:
    """What was begun before and is not this move comes to the end that it was judged to; what was not judged goes back.

    `PreviousStillServing` where it was this very move, and failed.
    """
    left, world = unended(move.server, move.world), move.world
    if left is None or (left.kind == INTENDED and left.body.get("aim") == move.aim):
        return Applied()
    wave = Wave(replace(move, aim=str(left.body.get("aim", ""))), str(left.body["operation"]), left.sequence)
    operations = {host: world.state.open_operation(move.server, host) for host in sites}
    rollouts = {
        host: reopened(one, sites[host], world, secret=move.secret)
        for host, one in operations.items()
        if one is not None and wave_of(one) == wave.operation
    }
    if left.kind == PASSED:
        released, lost = await move.on_each({host: partial(to_its_end, one) for host, one in rollouts.items()})
        return _passed(wave, released, lost, seconds=0.0)
    if left.kind == INTENDED:
        wave.note(FAILED, failed={}, reason="another command took its place")
    world.say("recover", move.server, f"taking back what did not pass on all hosts: {', '.join(rollouts) or 'nothing is left of it'}")
    _, lost = await move.on_each({host: partial(take_back, one, reason="it did not pass on all hosts") for host, one in rollouts.items()})
    wave.note(ENDED, verdict=FAILED, left=[*lost])
    if left.kind == FAILED and wave.move.aim == move.aim and not lost and "reason" not in left.body:
        raise still_serving(move, _told(left.body.get("failed")), hosts=tuple(sites))
    return Applied(problems=_problems(move, lost))


async def call_off(move: Move, rollouts: Mapping[str, Rollout], *, reason: str, away: Sequence[str]) -> Applied:
    """What was not judged goes back on each of these hosts, because somebody says so; who is `away` follows. The error of an only host
    that is part of no more than itself is raised.
    """  # noqa: D205  one thought
    left = unended(move.server, move.world)
    wave = Wave(replace(move, aim=str(left.body.get("aim", ""))), str(left.body["operation"]), left.sequence) if left else None
    if wave:
        wave.note(FAILED, failed={}, reason=reason)
    back, lost = await move.on_each({host: partial(_returned, one, reason=reason) for host, one in rollouts.items()})
    if wave:
        wave.note(ENDED, verdict=FAILED, left=[*lost, *away])
    elif lost and not (away or len(rollouts) > 1):
        raise next(iter(lost.values()))
    return Applied(releases=tuple(back.values()), problems=_problems(move, lost))


async def _returned(rollout: Rollout, *, reason: str) -> Released:
    await take_back(rollout, reason=reason)
    live = rollout.world.state.slots(rollout.server, rollout.host.name).live or 0
    return Released(rollout.server, "returned", live, None, "", (), host=rollout.host.name)


async def to_its_end(rollout: Rollout) -> Released:
    """Forward and settled, whatever becomes of other hosts: that was judged before."""
    return await _settled(rollout, await _as_far(rollout))


def still_serving(move: Move, why: str, *, hosts: Sequence[str]) -> PreviousStillServing:
    """What is told once every host is back."""
    live = sorted({_live(move, host) for host in hosts} - {0})
    serving = f"release {' and '.join(map(str, live))} still serves" if live else "nothing served before, and nothing does now"
    return PreviousStillServing(
        f"the rollout of {move.server} failed, and every host went back; {serving}",
        why=why,
        hint="mend the declaration or the host and apply again; `--exclude HOST` goes on without a host, `max_fail` says how many may fail",
    )


def _live(move: Move, host: str) -> int:
    return move.world.state.slots(move.server, host).live or 0


def _cause(error: VitrifyError) -> str:
    first = error.diagnostics[0]
    return first.why if isinstance(error, PreviousStillServing) and first.why else first.summary


def _reasons(failed: Mapping[str, VitrifyError]) -> JSONObject:
    """For the ledger: never an instance's last words, which may say what nobody should keep."""
    return {host: error.diagnostics[0].summary for host, error in failed.items()}


def _told(failed: JSON) -> str:
    return "; ".join(f"{host}: {reason}" for host, reason in failed.items()) if isinstance(failed, dict) else ""


def _problems(move: Move, failed: Mapping[str, VitrifyError]) -> tuple[HostProblem, ...]:
    return tuple(problem(move.server, host, error) for host, error in failed.items())
