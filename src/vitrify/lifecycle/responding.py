"""The story of a response: what the ledger holds of unauthorised findings is answered as the declaration says, and that is told.

| killed behind  | the same again                                                                            |
|----------------|-------------------------------------------------------------------------------------------|
| respond.intent | looks at the host anew, and does what is still to be done, under the same name            |
| respond.act    | the same: an apply, a rollout, a move into quarantine that was begun is ended, not doubled |
| respond.outcome | finds nothing that waits                                                                 |

Nothing is answered by what was found an hour ago: whatever is done rests on a look of its own. And nothing runs in circles: a rule has so
many responses an hour, one that failed waits longer each time, and a path that was put right too often today is left to somebody.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import Busy, TargetUnreachable, VitrifyError
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.drift import Audit, Finding
from vitrify.core.event import Stage
from vitrify.core.plan import ReleasePlan
from vitrify.core.response import Do
from vitrify.lifecycle import attempts, record
from vitrify.lifecycle.audit import audit_host, audit_instances, record_new, unauthorised
from vitrify.lifecycle.cases import DONE, FAILED, HELD, INTENDED, LEFT, Case, Docket, body_of, grouped, numbers, rule_of
from vitrify.lifecycle.immutable import reopened, replacement
from vitrify.lifecycle.lease import holding
from vitrify.lifecycle.mending import replaces
from vitrify.lifecycle.reconverging import about, reconverge
from vitrify.lifecycle.rollout import carry_out
from vitrify.lifecycle.setting_aside import set_aside
from vitrify.lifecycle.settings import known_secrets
from vitrify.lifecycle.world import World


async def respond(server: Server, host: Host, world: World) -> str:
    """Answer what waits on this host, rule by rule; in words what was done, "" for nothing. What a killed one began is ended first."""
    docket = Docket.of(server, host, world.ledger)
    begun = docket.unfinished()
    if begun is not None:
        response = Answer(server, host, rule_of(begun.body.get("rule")), str(begun.body["operation"]), begun.sequence)
        cases = docket.named(numbers(begun.body.get("findings")))
        return await response.carry_out(cases, await _standing(docket, cases, world), world)
    waiting = docket.cases()
    if not waiting or _pausing(docket, world):
        return ""
    there = await _standing(docket, waiting, world)
    told = []
    for rule, cases in grouped(_sensible(docket, waiting, there, world)):
        if docket.begun_within_the_hour(rule, now=world.clock.now()) >= rule.at_most:
            _hold(docket, cases, world)
            continue
        operation, since = world.identify(), world.ledger.size
        told.append(await Answer(server, host, rule.do, operation, since).begin(cases, there, world))
    return "; ".join(filter(None, told))


def _pausing(docket: Docket, world: World) -> bool:
    """Whether one failed so short ago that the next one waits: each that failed within the hour doubles that."""
    failed = docket.failed_within_the_hour(now=world.clock.now())
    return attempts.Attempts(len(failed), max(failed, default=0.0)).pause(now=world.clock.now()) > 0


async def _standing(docket: Docket, cases: Sequence[Case], world: World) -> dict[str, Finding]:
    """Identity -> finding of what is there now; what is new is entered as any audit enters it."""
    look = await _looked(docket, world)
    record_new(unauthorised(look.findings), world)
    found = {digest_of(finding.identity): finding for finding in unauthorised(look.findings)}
    return {case.identity: found[case.identity] for case in cases if case.identity in found}


async def _looked(docket: Docket, world: World) -> Audit:
    if docket.immutable:
        return await audit_instances(docket.server, docket.host, world)
    return await audit_host(docket.server, docket.host, world, full=False, reread=0)


def _sensible(docket: Docket, cases: Sequence[Case], there: dict[str, Finding], world: World) -> list[Case]:
    """Those to act on. What went away by itself, cannot be answered so, or comes back again and again is closed with why."""
    found = []
    for case in cases:
        finding = there.get(case.identity)
        if finding is None:
            _leave(docket, case, "it is not there any more", world, stage=Stage.DONE)
        elif docket.mended_today(case, now=world.clock.now()) >= case.rule.give_up:
            _leave(docket, case, f"comes back: put right {case.rule.give_up} times within a day; find out who does that", world)
        elif why := _hopeless(case, finding, docket):
            _leave(docket, case, why, world)
        else:
            found.append(case)
    return found


def _hopeless(case: Case, finding: Finding, docket: Docket) -> str:
    """Why this cannot be answered as the rule says; "" where it can."""
    wishes = [wish for wish in docket.server.wishes(docket.host) if about(wish, case.path)]
    if docket.immutable:
        return ""
    if case.rule.do is Do.RECONVERGE and not wishes:
        return "no resource is about it: an apply leaves it as it is (`do: quarantine` takes away what was added)"
    if case.rule.do is Do.QUARANTINE and finding.change != "added" and not wishes:
        return "nobody declared what should stand there: taking it away would leave a hole"
    return ""


def _leave(docket: Docket, case: Case, why: str, world: World, *, stage: Stage = Stage.FAILED) -> None:
    world.ledger.append(LEFT, body_of(docket.server.name, docket.host.name, [case], why=why))
    world.say("serve.respond", case.where, f"{case.path} is left: {why}", stage=stage)


def _hold(docket: Docket, cases: Sequence[Case], world: World) -> None:
    """Told once: the rule has had its responses for this hour."""
    fresh = [case for case in cases if not docket.held(case)]
    if fresh:
        world.ledger.append(HELD, body_of(docket.server.name, docket.host.name, fresh, rule=fresh[0].rule.to_json()))
        most = f"{fresh[0].rule.at_most} an hour"
        world.say("serve.respond", docket.host.name, f"{fresh[0].path} and what else waits: the rule is for {most}", stage=Stage.FAILED)


@dataclass(frozen=True)
class Answer:
    """One response, under its name; `since` is where the ledger may hold entries of it."""

    server: Server
    host: Host
    do: Do
    operation: str
    since: int

    async def begin(self, cases: Sequence[Case], there: dict[str, Finding], world: World) -> str:
        """Intent, act, outcome."""
        rule = cases[0].rule.to_json()
        body = body_of(self.server.name, self.host.name, cases, operation=self.operation, do=self.do.value, rule=rule)
        record.once(world.ledger, INTENDED, body, since=self.since)
        world.reached("respond.intent")
        return await self.carry_out(cases, there, world)

    async def carry_out(self, cases: Sequence[Case], there: dict[str, Finding], world: World) -> str:
        """Act and outcome. A lease of somebody else, and a host that is away, are waited for under the same name."""
        by = replace(world, answers=tuple(case.entry for case in cases))
        try:
            done = await self._act(cases, there, by)
        except (Busy, TargetUnreachable):
            raise
        except VitrifyError as error:
            self._note(FAILED, cases, world, reason=error.diagnostics[0].summary)
            raise
        world.reached("respond.act")
        self._note(DONE, cases, world, done=[*done])
        world.reached("respond.outcome")
        return f"{self.do.value}, {len(cases)} findings: {', '.join(done) or 'nothing was left to do'}"

    def _note(self, kind: str, cases: Sequence[Case], world: World, **more: JSON) -> None:
        body: JSONObject = body_of(self.server.name, self.host.name, cases, operation=self.operation, do=self.do.value, **more)
        record.once(world.ledger, kind, body, since=self.since)

    async def _act(self, cases: Sequence[Case], there: dict[str, Finding], world: World) -> tuple[str, ...]:
        if Docket(self.server, self.host, ()).immutable:
            out = tuple(dict.fromkeys(case.where for case in cases if case.identity in there))
            return await self._replace(out, cases[0].entry if self.do is Do.QUARANTINE else 0, world)
        taken: tuple[str, ...] = ()
        if self.do is Do.QUARANTINE:
            taken = await set_aside(self.server, self.host, [case for case in cases if case.identity in there], world)
        return (*taken, *await reconverge(self.server, self.host, [case.path for case in cases], world))

    async def _replace(self, out: tuple[str, ...], evidence: int, world: World) -> tuple[str, ...]:
        """New instances for these, by the way that every replacement goes; one that was begun is ended first."""
        async with holding(self.server.name, self.host, world, reason="respond") as site:
            open_one = world.state.open_operation(self.server.name, self.host.name)
            if open_one is not None and not replaces(open_one):
                raise Busy(f"{self.server.name} is in the middle of a {open_one.kind}", hint="its findings are answered after that")
            if open_one is not None:
                secret = known_secrets(self.server.secrets)
                return (await carry_out(reopened(open_one, site, world, secret=secret))).instances
            known = {one.id for one in await site.runtime.instances(world.labels(self.server.name))}
            number, still = world.state.slots(self.server.name, self.host.name).live, tuple(one for one in out if one in known)
            if number is None or not still:
                return ()
            due = ReleasePlan(self.server.name, self.host.name, "replace", number, number, (), replace=still, evidence=evidence)
            return (await carry_out(await replacement(self.server, due, site, world))).instances
