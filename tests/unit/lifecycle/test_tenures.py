"""A batch is one holder's until it is judged: what is applied, the looks at its health and the way back go by one lease of each host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from bench import Bench, Killed, do, in_place

from vitrify.core.declaration import Health, Host, Server
from vitrify.core.diagnostic import Busy, TargetUnreachable
from vitrify.core.digest import JSONObject
from vitrify.core.hook import Hook
from vitrify.core.report import Applied, Converged, Which
from vitrify.lifecycle import fleet, mutable
from vitrify.lifecycle.tenure import Kept, freeing, keeping, lease_of
from vitrify.lifecycle.world import World
from vitrify.onhost.context import Context
from vitrify.onhost.lease import Lease, Leases, Wish
from vitrify.onhost.leasing import fenced
from vitrify.onhost.memory import Memory
from vitrify.onhost.tenant import Tenant
from vitrify.ports import Session
from vitrify.testing.engine import quick_folder

BOB = Wish("bob@desk", "apply", "r9", seconds=3600.0)
GONE = replace(Tenant.this(), start=Tenant.this().start - 1)


@dataclass
class Trials(Bench):
    """A bench whose hosts are well, or say what ails them; `calls` are the leases that were presented, by call."""

    ails: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, object]] = field(default_factory=list)
    process: JSONObject = field(default_factory=dict)
    renewed: asyncio.Event = field(default_factory=asyncio.Event)
    dead: bool = False
    """Whether our process was killed: it says nothing more to anybody."""

    @property
    def world(self) -> World:
        return replace(super().world, process=self.process, session=self._heard)

    @asynccontextmanager
    async def _heard(self, host: Host) -> AsyncIterator[Session]:
        async with self._session(host) as session:
            yield _Heard(session, self)

    def healthy(self, _: Context, arguments: JSONObject) -> JSONObject:
        scope = arguments["scope"]
        assert isinstance(scope, dict)
        return {"reason": self.ails.get(Path(str(scope["root"])).name, "")}


class _Heard:
    """A session whose host is asked for its health by the test, through the fence that every call passes."""

    def __init__(self, session: Session, trials: Trials) -> None:
        self._session, self._trials = session, trials

    async def call(self, name: str, arguments: JSONObject, **more: object) -> JSONObject:
        if self._trials.dead:
            raise TargetUnreachable("nobody asks")
        lease = arguments.get("lease")
        self._trials.calls.append((name, lease.get("token") if isinstance(lease, dict) else None))
        if name == "lease.renew":
            self._trials.renewed.set()
        if name == "host.healthy":
            return fenced(self._trials.healthy, self._trials.context(), arguments)
        return await self._session.call(name, arguments, **more)  # type: ignore[arg-type]

    async def close(self) -> None:
        await self._session.close()


@pytest.fixture
def bench() -> Trials:
    return Trials()


@pytest.fixture
def roots() -> Iterator[tuple[Path, Path]]:
    with quick_folder() as one, quick_folder() as two:
        for root in (one, two):
            (root / "etc").mkdir()
        yield one, two


def of(roots: tuple[Path, ...], text: str, *, health: Health | None = Health(tcp=80, passes=1, grace=0.0)) -> Server:  # noqa: B008  a value
    server = in_place(roots[0], ("/etc/motd", text))
    return replace(server, hosts=tuple(Host(root.name, str(root)) for root in roots), health=health)


def apply(bench: Trials, server: Server) -> Applied:
    async def story() -> Applied:
        plans, _ = await fleet.plan([server], bench.world, parallel=1)
        return await fleet.apply(plans, {server.name: server}, bench.world, parallel=1)

    return do(story())


def kept(root: Path) -> Leases:
    folder = root / "var/lib/vitrify"
    return Leases(Memory(str(folder / "leases"), within=str(root)), "0123456789abcdef", "web")


def standing(root: Path) -> Lease:
    found = kept(root).standing()
    assert found is not None
    return found


def texts(roots: tuple[Path, ...]) -> list[str]:
    return [(root / "etc/motd").read_text() for root in roots]


def test_until_a_batch_is_judged_nobody_else_gets_at_its_hosts_and_then_everybody_does(bench: Trials, roots: tuple[Path, Path]) -> None:
    met: list[str] = []

    def others() -> None:
        for root in roots:
            with pytest.raises(Busy, match="web is being changed by ada@laptop"):
                kept(root).acquire(BOB)
            met.append(standing(root).reason)

    bench.happens_at["batch.act"] = others

    apply(bench, of(roots, "one\n"))

    assert met == ["apply", "apply"]
    assert [kept(root).standing() for root in roots] == [None, None]
    assert [kept(root).acquire(BOB).token for root in roots] == [2, 2]


def test_what_is_applied_asked_and_taken_back_goes_by_one_token(bench: Trials, roots: tuple[Path, Path]) -> None:
    apply(bench, of(roots, "one\n"))
    bench.ails[roots[1].name] = "says 500"
    bench.calls.clear()

    ended = apply(bench, of(roots, "two\n"))

    assert [one.undone for one in ended.hosts] == [True, True]
    assert texts(roots) == ["one\n", "one\n"]
    assert {body["token"] for kind in ("apply.done", "undo.done") for body in bench.bodies(kind)[-2:]} == {2}
    assert {call: token for call, token in bench.calls if call in ("host.healthy", "undo", "lease.release")} == {
        "host.healthy": 2,
        "undo": 2,
        "lease.release": 2,
    }


def test_a_batch_costs_no_call_but_the_one_that_gives_its_lease_back(bench: Trials, roots: tuple[Path, Path]) -> None:
    apply(bench, of(roots[:1], "one\n"))
    assert [call for call, _ in bench.calls] == ["observe", "enact", "host.healthy", "lease.release"]

    bench.calls.clear()
    apply(bench, of(roots[:1], "two\n", health=None))
    assert [call for call, _ in bench.calls] == ["observe", "enact"]


def test_who_lost_the_lease_judges_nothing_and_takes_nothing_back(bench: Trials, roots: tuple[Path, Path]) -> None:
    apply(bench, of(roots, "one\n"))
    bench.ails[roots[1].name] = "says 500"

    def away() -> None:
        kept(roots[0]).release(0, why="was taken away by bob@desk: that laptop sleeps")
        kept(roots[0]).acquire(BOB)

    bench.happens_at["apply.outcome"] = away
    with pytest.raises(Busy, match="the lease of web was lost: bob@desk has a newer one"):
        apply(bench, of(roots, "two\n"))

    assert texts(roots) == ["two\n", "two\n"]
    assert bench.told("batch.intended", "batch.passed", "batch.failed")[-1] == "batch.intended"
    kept(roots[0]).release(0)
    ended = apply(bench, of(roots, "two\n"))
    assert [one.undone for one in ended.hosts] == [True, True]
    assert texts(roots) == ["one\n", "one\n"]


@pytest.mark.parametrize("point", ["apply.intent", "apply.act", "apply.outcome", "batch.act", "batch.outcome"])
def test_whoever_is_killed_before_the_verdict_locks_nobody_out(bench: Trials, roots: tuple[Path, Path], point: str) -> None:
    apply(bench, of(roots, "one\n"))
    bench.process = GONE.to_json()

    def die() -> None:
        bench.dead = True
        raise Killed

    bench.happens_at[point] = die
    with pytest.raises((Killed, BaseExceptionGroup)):
        apply(bench, of(roots, "two\n"))
    bench.dead, bench.process = False, Tenant.this().to_json()

    apply(bench, of(roots, "two\n"))

    assert texts(roots) == ["two\n", "two\n"]
    assert bench.told("batch.intended", "batch.passed")[-1] == "batch.passed"
    assert [kept(root).standing() for root in roots] == [None, None]


def test_a_host_that_did_not_say_how_it_ended_leaves_its_batch_unjudged(bench: Trials, roots: tuple[Path, Path]) -> None:
    apply(bench, of(roots, "one\n"))
    server = of(roots, "two\n")

    def touched() -> None:
        (roots[1] / "etc/motd").write_text("by hand\n")

    bench.happens_at["apply.outcome"] = touched  # of the first host: the second one refuses its plan then
    ended = apply(bench, server)

    assert [one.host for one in ended.problems] == [roots[1].name]
    assert bench.told("batch.intended", "batch.passed", "batch.failed")[-1] == "batch.intended"
    bench.ails[roots[0].name] = "says 500"
    assert [one.undone for one in apply(bench, server).hosts] == [True, True]


def test_many_runs_are_taken_back_by_one_holder(bench: Trials, roots: tuple[Path, Path]) -> None:
    for text in ("one\n", "two\n", "three\n"):
        apply(bench, of(roots[:1], text, health=None))
    first = str(bench.bodies("apply.done")[1]["operation"])
    bench.calls.clear()

    ended = do(fleet.undo(of(roots[:1], "three\n"), bench.world, which=Which(first, back=True), force=False, parallel=1))

    assert texts(roots[:1]) == ["one\n"]
    assert isinstance(ended.hosts[0], Converged)
    assert [token for call, token in bench.calls if call == "undo"] == [0, 4]
    assert kept(roots[0]).standing() is None


def test_a_hook_on_the_host_acts_by_the_lease_of_what_it_is_about(bench: Trials, roots: tuple[Path, Path]) -> None:
    hooks = tuple(Hook("apply", ("/bin/true",), before=before, on="host") for before in (True, False))
    server = replace(of(roots[:1], "one\n", health=None), hooks=hooks)

    apply(bench, server)

    assert [(call, token) for call, token in bench.calls if call in ("hook.run", "enact")] == [
        ("hook.run", 1),
        ("enact", 1),
        ("hook.run", 1),
    ]
    assert kept(roots[0]).standing() is None


def test_the_holder_tells_the_host_that_it_is_there_while_others_are_judged(bench: Trials, roots: tuple[Path, Path]) -> None:
    server = of(roots[:1], "one\n")
    world = replace(bench.world, lease_seconds=0.08)

    async def story() -> None:
        host = server.hosts[0]
        async with keeping({host.name: mutable.scope("web", host, world)}, server, world, reason="apply") as worlds:
            await worlds[host.name].tenure.enter()
            await bench.renewed.wait()

    do(story())

    assert bench.calls[-1] == ("lease.release", 1)


# -- a host that cannot know that its holder is gone -----------------------------------------------------------------


class Far:
    """A host on another kernel: it takes every holder of another machine for alive until its lease has run out."""

    def __init__(self, holder: Tenant) -> None:
        self.last: JSONObject | None = {"token": 7, "process": holder.to_json()}
        self.said: list[JSONObject] = []

    async def call(self, name: str, arguments: JSONObject, **_: object) -> JSONObject:
        self.said.append(arguments)
        if name == "lease.release":
            self.last = None
        return {"last": self.last}

    async def close(self) -> None:
        """Nothing is open."""

    async def act(self) -> JSONObject:
        if self.last:
            raise Busy("web is being changed by ada@laptop")
        return {"token": 8}


def act_on(far: Far) -> JSONObject:
    return do(freeing(far.act, far, {"home": "/var/lib/vitrify"}))


def test_the_lease_of_a_process_of_ours_that_was_killed_is_given_back_by_whoever_comes_next_from_its_machine() -> None:
    far = Far(GONE)

    assert act_on(far) == {"token": 8}
    assert far.said[-1] == {"lease": {"home": "/var/lib/vitrify", "token": 7}, "why": "its process has ended"}


@pytest.mark.parametrize("holder", [Tenant.this(), replace(GONE, boot="another machine")], ids=["alive", "elsewhere"])
def test_a_holder_that_may_be_alive_is_left_alone(holder: Tenant) -> None:
    with pytest.raises(Busy):
        act_on(Far(holder))


def test_who_follows_what_a_killed_process_had_begun_holds_its_lease_from_then_on(bench: Trials, roots: tuple[Path, Path]) -> None:
    host = Host(roots[0].name, str(roots[0]))
    apply(bench, of(roots[:1], "one\n", health=None))
    left = kept(roots[0]).acquire(Wish("ada@laptop", "apply", "r1", process=GONE))
    bench.process = Tenant.this().to_json()
    tenure = Kept(host, lease_of(mutable.scope("web", host, bench.world)), bench.world, reason="apply")

    async def story(then: Callable[[], object]) -> object:
        async with bench.world.session(host) as session:
            await tenure.heard({"token": left.token, "resumed": True}, session)
        return then()

    found = do(story(lambda: standing(roots[0])))

    assert isinstance(found, Lease)
    assert (found.token, found.process) == (left.token, Tenant.this())
