"""One operation on one server while it is under way: what it set out to do, where it stands, and both ends of each step."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass

from vitrify.core.declaration import Host
from vitrify.core.diagnostic import IntegrityFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.instance import Instance
from vitrify.core.phase import ENDS, Phase, Standing, refuse_leap
from vitrify.core.strategy import strategy_of
from vitrify.lifecycle import hooks, migration, record
from vitrify.lifecycle.settings import RunSettings, SecretValue
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Operation, Release, Slots

SPOKEN = {"release": "release", "join": "joining", "replace": "replacement", "rollback": "rollback", "retire": "retirement"}
"""Kinds of operation, as nouns."""


@dataclass(frozen=True)
class Intended:
    """What an operation set out to do; durable in `Operation.data` before anything is done."""

    keep: tuple[str, ...]
    """Instances of the release that run already and go on (a warm rollback, the untouched part of a replacement)."""
    out: tuple[str, ...]
    """Instances that leave for good, whatever slot they are in: altered or nobody's."""
    live: int | None
    previous: int | None
    since: int
    """Ledger entries from here on can be about this operation."""
    back: tuple[str, ...]
    """The addresses that served before; where a failing probation switches back to."""
    back_set: str
    token: int = 0
    """The lease by which it is carried out; of whoever goes on with it, once somebody does."""
    wave: str = ""
    """The rollout over several hosts that it is part of: it is settled once all of them passed, and taken back where one did not."""
    untried: bool = False
    """Whether a release that it joins was live on no host when it began."""
    evidence: int = 0
    """The ledger's entry about why those of `out` are kept in quarantine; 0 where they are discarded."""

    def to_json(self) -> JSONObject:
        """The form of `Operation.data`."""
        return {
            "keep": list(self.keep),
            "out": list(self.out),
            "live": self.live,
            "previous": self.previous,
            "since": self.since,
            "back": list(self.back),
            "back_set": self.back_set,
            "token": self.token,
            "wave": self.wave,
            "untried": self.untried,
            **({"evidence": self.evidence} if self.evidence else {}),
        }

    @classmethod
    def from_json(cls, data: JSONObject) -> Intended:
        """Read what `to_json` wrote."""
        live, previous, since, token = data["live"], data["previous"], data["since"], data.get("token")
        evidence = data.get("evidence")
        return cls(
            keep=_texts(data["keep"]),
            out=_texts(data["out"]),
            live=live if isinstance(live, int) else None,
            previous=previous if isinstance(previous, int) else None,
            since=since if isinstance(since, int) else 0,
            back=_texts(data["back"]),
            back_set=str(data["back_set"]),
            token=token if isinstance(token, int) else 0,
            wave=str(data.get("wave", "")),
            untried=data.get("untried") is True,
            evidence=evidence if isinstance(evidence, int) else 0,
        )


def _texts(value: JSON) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


@dataclass(frozen=True)
class Progress:
    """How far a canary came; durable in `Operation.data` as well."""

    stage: int = -1
    """The step that it is at, counted from 0; -1 before the first."""
    since: float = 0.0
    """When that was begun, in seconds since the epoch."""
    reason: str = ""
    """Why it is taken back, once it is."""
    promoted: bool = False
    """Whether somebody let it go on from where it waited last."""

    def to_json(self) -> JSONObject:
        """The form in `Operation.data`."""
        return {"stage": self.stage, "since_ms": round(self.since * 1000), "reason": self.reason, "promoted": self.promoted}

    @classmethod
    def of(cls, operation: Operation) -> Progress:
        """Read what `to_json` wrote; nothing is an operation that has not come anywhere."""
        data = operation.data.get(_PROGRESS)
        found = data if isinstance(data, dict) else {}
        stage, since = found.get("stage"), found.get("since_ms")
        return cls(
            stage if isinstance(stage, int) else -1,
            since / 1000 if isinstance(since, int) else 0.0,
            str(found.get("reason") or ""),
            promoted=found.get("promoted") is True,
        )


_PROGRESS = "progress"


@dataclass
class Written:
    """The newest that is written down of an operation. Whoever has its lease is the only one to write, and need not ask again."""

    operation: Operation


@dataclass(frozen=True)
class Rollout:
    """One operation on one server, and everything needed to carry it out."""

    world: World
    site: Site
    release: Release
    settings: RunSettings
    operation: Operation
    intended: Intended
    secret: SecretValue
    written: Written

    @property
    def server(self) -> str:
        """The server's name."""
        return self.release.server

    @property
    def host(self) -> Host:
        """Where its instances run."""
        return self.operation.host

    @property
    def set(self) -> str:
        """The name of the set of backends that this operation switches to."""
        return set_name(self.operation)

    @property
    def slots(self) -> Slots:
        """What is live and what was before, once this operation is done."""
        number, intended = self.release.number, self.intended
        return Slots(live=number, previous=intended.previous if number == intended.live else intended.live)

    async def running(self) -> tuple[Instance, ...]:
        """The instances of this release that anything keeps alive."""
        found = await self.site.runtime.instances(self.labels())
        return tuple(instance for instance in found if not instance.gone)

    def labels(self) -> dict[str, str]:
        """What marks an instance as this release's."""
        return self.world.labels(self.server, self.release.number)

    @property
    def strategy(self) -> str:
        """How requests are moved by this operation."""
        return strategy_for(self.operation, self.settings)

    @property
    def untried(self) -> bool:
        """Whether its release is new to all hosts: it goes by the declared strategy, and may wait for somebody."""
        return untried(self.operation)

    def now(self) -> Operation:
        """The operation as it is remembered now."""
        return self.written.operation

    @property
    def standing(self) -> Standing:
        """Where it stands."""
        return Standing.of(self.now().step)

    @property
    def progress(self) -> Progress:
        """How far its strategy came."""
        return Progress.of(self.now())

    @property
    def course(self) -> hooks.Course:
        """What the hooks of this operation are run for."""
        intended = self.intended
        about: JSONObject = {
            "number": self.release.number,
            "image": self.release.image,
            "live": intended.live,
            "previous": intended.previous,
        }
        return hooks.Course(
            self.world,
            self.settings.hooks,
            kind=self.operation.kind,
            operation=self.operation.id,
            server=self.server,
            host=self.site.host,
            since=intended.since,
            secret=self.secret,
            about={"release": about},
            inside=self._inside,
        )

    async def _inside(self) -> tuple[str, str]:
        return await hooks.inside(self.running, self.site, self.world.clock)

    async def open_gate(self) -> None:
        """What has to be done before any of its instances is asked whether it is fit."""
        await migration.expand(self.course, self.release.number)
        await hooks.run(self.course, ("gate",), before=True)

    @asynccontextmanager
    async def step(self, name: str, *, progress: Progress | None = None) -> AsyncIterator[None]:
        """Intent, act, outcome of one side effect, both ends durable; its hooks around it.

        One that was passed before is done again, and not written again. IntegrityFailed where it cannot follow what was done last.
        """
        forward = self.standing.leads(Phase(name))
        if name == "gate":
            await self.open_gate()
        await hooks.run(self.course, hooks.around(name, self.operation.kind, before=True), before=True)
        now = self.now()
        came = (progress or Progress.of(now)).to_json()
        data: JSONObject = {**now.data, **self.operation.data, _PROGRESS: came}
        if forward:
            self.written.operation = self.world.state.advance(self.operation.id, step=f"{name}.intent", data=data)
        self.world.reached(f"{name}.intent")
        yield
        self.world.reached(f"{name}.act")
        if forward:
            self.written.operation = self.world.state.advance(self.operation.id, step=name, data=data)
        self.world.reached(f"{name}.outcome")
        await hooks.run(self.course, hooks.around(name, self.operation.kind, before=False), before=False)

    def close(self, *, slots: Slots | None, states: Mapping[int, str]) -> None:
        """End the operation, with what it led to; IntegrityFailed where it has not come to an end, or a release cannot become that."""
        standing = self.standing
        if not standing.is_at(*ENDS):
            raise IntegrityFailed(f"an operation that is {standing.phase.spoken} has not ended")
        known = {release.number: release.state for release in self.world.state.releases(self.server, host=self.host.name)}
        for number, state in states.items():
            refuse_leap(self.server, number, before=known[number], after=state, joins=self.operation.kind == "join")
        self.world.state.finish(self.operation.id, slots=slots, states=states)

    def note(self, kind: str, **more: JSON) -> None:
        """Tell the ledger, once for each operation and kind."""
        body: JSONObject = {
            "operation": self.operation.id,
            "server": self.server,
            "host": self.host.name,
            "release": self.release.number,
            "image": self.release.image,
            "token": self.intended.token,
            **({"plan": self.world.plan} if self.world.plan else {}),
            **self.world.answering,
            **more,
        }
        record.once(self.world.ledger, kind, body, since=self.intended.since)


def untried(operation: Operation) -> bool:
    """Whether no host had its release before the rollout that it is part of: who joins such a one begins it as the others did."""
    return operation.kind == "release" or operation.data.get("untried") is True


def strategy_for(operation: Operation, settings: RunSettings) -> str:
    """How requests are moved by an operation; `settings` are those of its release."""
    intended, kind = Intended.from_json(operation.data), "release" if untried(operation) else operation.kind
    route = settings.route is not None and bool(intended.back)
    return strategy_of(settings.rollout.strategy, kind, live=intended.live is not None, route=route)


def set_name(operation: Operation) -> str:
    """What the set of backends is called that this operation switches to."""
    return f"r{operation.release}-{operation.id[-8:]}"


async def moved(operation: Operation, settings: RunSettings, site: Site) -> bool:
    """Whether traffic is on this operation's set already: asked of the router where there is one."""
    if settings.route:
        live = await site.router.live(operation.server)
        return live is not None and live.name == set_name(operation)
    return Standing.of(operation.step).switched
