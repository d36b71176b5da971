"""Kinds that act once for many changes, that have no path, and that listen to others: what the engine does for them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import pytest

from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.plan import Seen, plan_host
from vitrify.core.resource import MISSING, Address, Kind, Observation, Phase, Properties, Resource, Sureness
from vitrify.core.schema import Field, Schema, Type
from vitrify.core.system import System
from vitrify.testing.engine import Engine, errors, kinds_and, outcomes, quick_folder


@dataclass
class Depot:
    """A place without paths that packages are in, and that a daemon runs in."""

    installed: dict[str, str] = field(default_factory=dict)
    acts: list[tuple[str, ...]] = field(default_factory=list)
    asked: int = 0
    broken: str = ""
    told: list[str] = field(default_factory=list)
    owed: set[str] = field(default_factory=set)


class Parcel(Kind):
    """Something with a version, put into a depot; several in one act."""

    name = "parcel"
    phases = frozenset({Phase.LIVE})
    schema = Schema(fields={"name": Field(Type.NAME, "its name", required=True), "version": Field(Type.TEXT, "which")})
    together = True

    def __init__(self, depot: Depot) -> None:
        self._depot = depot

    def identity(self, fields: Mapping[str, JSON]) -> str:
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        return MISSING if resource.absent else {"type": "parcel", "version": resource.fields["version"]}

    def observe(self, resource: Resource, system: System) -> Observation:
        return self.observe_all([resource], system)[0]

    def observe_all(self, resources: Sequence[Resource], system: System) -> tuple[Observation, ...]:
        self._depot.asked += 1
        return tuple(Observation(one.address, self._seen(one.address.name)) for one in resources)

    def _seen(self, name: str) -> Properties:
        found = self._depot.installed.get(name)
        return MISSING if found is None else {"type": "parcel", "version": found}

    def enact(self, change: Change, system: System) -> None:
        self.enact_all([change], system)

    def enact_all(self, changes: Sequence[Change], system: System) -> None:
        self._depot.acts.append(tuple(change.resource.address.name for change in changes))
        for change in changes:
            name = change.resource.address.name
            if name == self._depot.broken:
                raise TargetFailed(f"{name} cannot be had")
            if change.after["type"] == "missing":
                self._depot.installed.pop(name, None)
            else:
                self._depot.installed[name] = str(change.after["version"])

    def inverse(self, change: Change) -> Change:
        return Change(change.resource, Action.UPDATE, before=change.after, after=change.before)


class Daemon(Kind):
    """Something that must be told when what it listens to changes; needs a parcel of its name."""

    name = "daemon"
    phases = frozenset({Phase.LIVE})
    schema = Schema(fields={"name": Field(Type.NAME, "its name", required=True), "restart_on": Field(Type.TEXTS, "what it listens to")})

    def __init__(self, depot: Depot) -> None:
        self._depot = depot

    def identity(self, fields: Mapping[str, JSON]) -> str:
        return str(fields["name"])

    def desired(self, resource: Resource) -> Properties:
        return {"type": "daemon", "owes": "nothing"}

    def observe(self, resource: Resource, system: System) -> Observation:
        name = resource.address.name
        owes = "a restart" if name in self._depot.owed else "nothing"
        there = name in self._depot.installed or "restart_on" in resource.fields
        return Observation(resource.address, {"type": "daemon", "owes": owes} if there else MISSING)

    def enact(self, change: Change, system: System) -> None:
        self.settle(change.resource, system)

    def settle(self, resource: Resource, system: System) -> None:
        if resource.address.name in self._depot.owed:
            self._depot.told.append(system.read("/conf").decode())
        self._depot.owed.discard(resource.address.name)

    def listens(self, resource: Resource) -> Mapping[Address, str]:
        named = resource.fields.get("restart_on", [])
        return {Address.parse(str(name)): "restart" for name in named} if isinstance(named, list) else {}

    def owe(self, resource: Resource, how: str, system: System) -> None:
        assert how == "restart"
        self._depot.owed.add(resource.address.name)

    def assumed(self, change: Change, earlier: Mapping[Address, Change]) -> str:
        address = Address("parcel", change.resource.address.name)
        return f"{address} brings it" if change.before["type"] == "missing" and address in earlier else ""


@pytest.fixture
def depot() -> Depot:
    return Depot()


@pytest.fixture
def engine(depot: Depot) -> Iterator[Engine]:
    with quick_folder() as root:
        yield Engine(root, kinds=kinds_and(Parcel(depot), Daemon(depot)))


def parcel(name: str, version: str = "1") -> Resource:
    return Resource(Address("parcel", name), {"name": name, "version": version})


def daemon(name: str, *restart_on: str) -> Resource:
    more: dict[str, JSON] = {"restart_on": list(restart_on)} if restart_on else {}
    return Resource(Address("daemon", name), {"name": name, **more})


def test_all_resources_of_a_kind_are_looked_at_at_once(engine: Engine, depot: Depot) -> None:
    engine.plan(parcel("a"), parcel("b"), parcel("c"))
    assert depot.asked == 1


def test_changes_that_follow_each_other_are_made_in_one_act(engine: Engine, depot: Depot) -> None:
    answer = engine.apply(parcel("a"), parcel("b"), engine.file("/x", "x"), parcel("c"))
    assert outcomes(answer) == ["done"] * 4
    assert depot.acts == [("a", "b"), ("c",)]


def test_removals_are_an_act_of_their_own(engine: Engine, depot: Depot) -> None:
    engine.apply(parcel("a"), parcel("b"))
    engine.apply(parcel("b", "2"), run="r2")
    assert depot.acts[1:] == [("b",), ("a",)]
    assert depot.installed == {"b": "2"}


def test_what_an_act_did_before_it_failed_counts_as_done(engine: Engine, depot: Depot) -> None:
    depot.broken = "b"
    answer = engine.apply(parcel("a"), parcel("b"), parcel("c"))
    assert outcomes(answer) == ["done", "failed", "failed"]
    assert "b cannot be had" in errors(answer)
    assert engine.owned() == {"parcel:a": True}


def test_an_undo_changes_back_what_has_no_path(engine: Engine, depot: Depot) -> None:
    depot.installed["a"] = "0"
    engine.apply(parcel("a"), parcel("b"))
    engine.call("undo", run="")
    assert depot.installed == {"a": "0"}


def test_an_undo_is_refused_where_a_thing_without_a_path_was_changed_since(engine: Engine, depot: Depot) -> None:
    engine.apply(parcel("a"))
    depot.installed["a"] = "7"
    with pytest.raises(Denied, match="not undone") as refused:
        engine.call("undo", run="")
    assert "parcel:a was changed" in str(refused.value)
    assert depot.installed == {"a": "7"}


def test_whoever_listens_is_told_once_after_all_it_listens_to_has_changed(engine: Engine, depot: Depot) -> None:
    listening = daemon("d", "file:/conf", "file:/more")
    engine.apply(engine.file("/conf", "one"), engine.file("/more", "1"), listening)
    engine.apply(engine.file("/conf", "two"), engine.file("/more", "2"), listening, run="r2")
    assert depot.told == ["one", "two"]
    assert engine.plan(engine.file("/conf", "two"), engine.file("/more", "2"), listening)["changes"] == []


def test_what_is_owed_survives_a_run_that_failed(engine: Engine, depot: Depot) -> None:
    listening = daemon("d", "file:/conf")
    engine.apply(engine.file("/conf", "one"), listening)
    depot.broken = "x"
    engine.apply(engine.file("/conf", "two"), parcel("x"), listening, run="r2")
    assert depot.told == ["one"]
    depot.broken = ""
    engine.apply(engine.file("/conf", "two"), parcel("x"), listening, run="r3")
    assert depot.told == ["one", "two"]


def test_an_undo_tells_whoever_listens_once_everything_is_back(engine: Engine, depot: Depot) -> None:
    listening = daemon("d", "file:/conf")
    engine.apply(engine.file("/conf", "one"), listening)
    engine.apply(engine.file("/conf", "two"), listening, run="r2")
    engine.call("undo", run="r2")
    assert depot.told == ["one", "two", "one"]


def test_a_plan_says_what_an_earlier_change_makes_possible(engine: Engine) -> None:
    parcels, needing = parcel("nginx"), daemon("nginx")
    seen = {one.address: Observation(one.address, MISSING) for one in (parcels, needing)}
    _, change = plan_host([parcels, needing], Seen(seen, ()), kinds=engine.kinds, diff=lambda _, __: "").changes
    assert change.sureness is Sureness.ASSUMED
    assert change.because[-1] == "parcel:nginx brings it"


def test_a_plan_says_who_will_be_told(engine: Engine) -> None:
    plan = engine.plan(engine.file("/conf", "one"), daemon("d", "file:/conf"))
    changes = json.loads(json.dumps(plan["changes"]))
    assert [reason for change in changes for reason in change["because"]][-1] == "restart: file:/conf changes"


def test_a_kill_between_acts_leaves_a_group_that_is_finished_by_the_same_call(engine: Engine, depot: Depot) -> None:
    def die(point: str) -> None:
        if point == "enact.act":
            raise KeyboardInterrupt

    engine.reached = die
    with pytest.raises(KeyboardInterrupt):
        engine.apply(parcel("a"), parcel("b"))
    engine.reached = lambda _: None
    answer: JSONObject = engine.apply(parcel("a"), parcel("b"), run="r9")
    assert answer["run"] == "r1"
    assert depot.acts == [("a", "b")]
    assert engine.owned() == {"parcel:a": True, "parcel:b": True}
