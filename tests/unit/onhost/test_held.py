"""While one call changes a target, a look says so, a second change is refused at once, and a process that ended keeps nobody out."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from vitrify.core.diagnostic import Busy, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.event import Event
from vitrify.onhost.calls import find_call
from vitrify.onhost.context import Context
from vitrify.onhost.lease import Leases, Wish
from vitrify.onhost.memory import Memory
from vitrify.onhost.tenant import Tenant
from vitrify.testing.engine import MEMORY, PROJECT, Engine, quick_folder


@pytest.fixture
def engine() -> Iterator[Engine]:
    with quick_folder() as root:
        (root / "etc").mkdir()
        yield Engine(root)


def kept(engine: Engine) -> Leases:
    return Leases(Memory(str(engine.root / MEMORY / "leases"), within=str(engine.root)), PROJECT, "web")


def meanwhile(engine: Engine) -> dict[str, object]:
    """What others meet while an apply is under way."""
    met: dict[str, object] = {}
    other = replace(engine, events=[])

    def look(_: Event) -> None:
        if met:
            return
        met["held"] = other.call("observe", resources=[])["held"]
        with pytest.raises(Busy) as refused:
            other.call("undo", run="r1", force=False, by="bob@desk")
        met["refused"] = str(refused.value)

    engine.events = _Heard(look)
    return met


class _Heard(list[Event]):
    def __init__(self, hear: object) -> None:
        super().__init__()
        self._hear = hear

    def append(self, event: Event) -> None:
        super().append(event)
        assert callable(self._hear)
        self._hear(event)


def test_while_a_call_changes_a_target_others_see_it_and_are_refused(engine: Engine) -> None:
    met = meanwhile(engine)

    answer = engine.apply(engine.file("/etc/motd", "one\n"), run="r1")

    assert answer["token"] == 1
    held = met["held"]
    assert isinstance(held, dict)
    assert (held["by"], held["reason"], held["operation"], held["token"]) == ("ada", "apply", "r1", 1)
    assert "web is being changed by ada" in str(met["refused"])
    assert engine.call("observe", resources=[])["held"] is None


def test_the_lease_of_a_call_ends_with_its_process(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "one\n"), run="r1")
    record = engine.root / MEMORY / "leases" / f"{PROJECT}-web.json"
    record.write_text(json.dumps({**json.loads(record.read_text()), "released": ""}))  # as a killed process leaves it

    assert engine.call("observe", resources=[])["held"] is None
    assert engine.apply(engine.file("/etc/motd", "two\n"), run="r2")["token"] == 2


def test_a_lease_that_somebody_holds_keeps_an_apply_out_until_it_is_given_back(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "one\n"), run="r1")
    token = kept(engine).acquire(Wish("bob@desk", "maintenance", process=Tenant.this())).token

    with pytest.raises(Busy, match="web is being changed by bob@desk"):
        engine.apply(engine.file("/etc/motd", "two\n"), run="r2")
    assert (engine.root / "etc/motd").read_text() == "one\n"
    kept(engine).release(token)
    assert engine.apply(engine.file("/etc/motd", "two\n"), run="r2")["token"] == 3


def test_nobody_but_its_owner_can_read_a_lease(engine: Engine) -> None:
    engine.apply(engine.file("/etc/motd", "one\n"), run="r1")
    folder = engine.root / MEMORY / "leases"

    assert {path.stat().st_mode & 0o077 for path in (folder, *folder.iterdir())} == {0}


def test_a_call_that_presents_a_lost_lease_does_nothing(tmp_path: Path) -> None:
    place: JSONObject = {"home": str(tmp_path / "run"), "project": PROJECT, "server": "web"}

    first = made("lease.acquire", {"lease": {**place, "by": "ada@laptop", "reason": "apply"}})
    made("instance.list", {"home": str(tmp_path / "run"), "lease": {**place, "token": first["token"]}})
    made("lease.release", {"lease": {**place, "token": 0}, "why": "was taken away by bob@desk: gone"})
    second = made("lease.acquire", {"lease": {**place, "by": "bob@desk", "reason": "apply"}})

    assert (first["token"], second["token"]) == (1, 2)
    with pytest.raises(Busy, match="the lease of web was lost: bob@desk has a newer one"):
        made("instance.list", {"home": str(tmp_path / "run"), "lease": {**place, "token": first["token"]}})
    assert made("lease.show", {"lease": place})["standing"] is True


@pytest.mark.parametrize("lease", [None, {}, {"home": ""}])
def test_a_call_that_does_not_say_which_lease_it_means_is_refused(lease: JSONObject | None) -> None:
    with pytest.raises(UsageInvalid, match="does not say"):
        made("lease.show", {} if lease is None else {"lease": lease})


def test_a_process_that_is_not_ours_or_not_there_is_never_ended() -> None:
    here = Tenant.this()
    for other in (replace(here, boot="another"), replace(here, space="another"), replace(here, start=here.start - 1), here):
        other.end()

    assert os.getpid() == here.pid


def made(name: str, arguments: JSONObject) -> JSONObject:
    from vitrify.resources.registry import all_kinds

    call = find_call(name)
    assert call is not None
    return call(Context(emit=lambda _: None, blob=lambda _: b"", reached=lambda _: None, kinds=all_kinds(), clock=lambda: 0.0), arguments)
