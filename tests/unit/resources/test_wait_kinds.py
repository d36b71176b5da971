"""Waiting for ports and paths, and asking URLs, on a host in memory."""

from __future__ import annotations

import pytest

from vitrify.core.difference import Action, Change, difference
from vitrify.core.digest import JSON
from vitrify.core.resource import Address, Kind, Resource
from vitrify.core.system import Target
from vitrify.resources.http_check import HttpCheck
from vitrify.resources.wait_for import WaitFor
from vitrify.testing.memory_system import MemorySystem

WAIT, CHECK = WaitFor(), HttpCheck()
SERVICE = Address("service", "shop")


def wish(kind: Kind, **fields: JSON) -> Resource:
    return Resource(Address(kind.name, kind.identity(fields)), fields, after=(SERVICE,))


def change(kind: Kind, resource: Resource, system: MemorySystem) -> Change | None:
    return difference(resource, desired=kind.desired(resource), seen=kind.observe(resource, system))


@pytest.mark.parametrize(
    ("kind", "fields", "subject"),
    [
        (WAIT, {"tcp": 8000}, "127.0.0.1:8000"),
        (WAIT, {"tcp": "[::1]:8000"}, "::1:8000"),
        (CHECK, {"url": "http://127.0.0.1:8000/"}, "http://127.0.0.1:8000/"),
    ],
)
def test_a_plan_looks_once_and_an_apply_waits_as_long_as_was_said(kind: Kind, fields: dict[str, JSON], subject: str) -> None:
    system, resource = MemorySystem(target=Target.HOST), wish(kind, **fields, timeout="90s")
    made = change(kind, resource, system)
    assert made is not None
    system.answers.add(subject)

    kind.enact(made, system)

    assert [act.subject for act in system.acts] == [f"{subject} within 0", f"{subject} within 90"]
    assert change(kind, resource, system) is None


@pytest.mark.parametrize(("kind", "fields"), [(WAIT, {"tcp": 8000}), (CHECK, {"url": "http://x/"})])
def test_nobody_is_asked_in_a_folder(kind: Kind, fields: dict[str, JSON]) -> None:
    system = MemorySystem(target=Target.FOLDER)
    assert change(kind, wish(kind, **fields), system) is None
    assert system.acts == []


@pytest.mark.parametrize(("kind", "fields"), [(WAIT, {"tcp": 8000}), (CHECK, {"url": "http://x/"})])
def test_it_waits_again_whenever_what_it_comes_after_changes(kind: Kind, fields: dict[str, JSON]) -> None:
    resource = wish(kind, **fields)
    made = change(kind, resource, MemorySystem(target=Target.HOST))
    assert made is not None
    service = Resource(SERVICE, {"name": "shop"})

    assert kind.listens(resource) == {SERVICE: "wait"}
    assert kind.assumed(made, {SERVICE: Change(service, Action.UPDATE, {}, {})}) == "service:shop is changed before"
    assert kind.assumed(made, {}) == ""


@pytest.mark.parametrize(
    ("kind", "fields", "summary"),
    [
        (WAIT, {"tcp": 0}, "0 is nothing to connect to"),
        (WAIT, {"tcp": True}, "True is nothing to connect to"),
        (WAIT, {"tcp": "a b:1"}, "'a b:1' is nothing to connect to"),
        (WAIT, {"tcp": "host:70000"}, "'host:70000' is nothing to connect to"),
        (WAIT, {}, "one of `tcp`, `path` is needed"),
        (WAIT, {"tcp": 1, "timeout": "soon"}, "'soon' is no duration"),
        (CHECK, {"url": "shop.example"}, "'shop.example' is no URL to ask"),
        (CHECK, {"url": "http://ada:secret@shop.example/"}, "'http://ada:secret@shop.example/' is no URL to ask"),
        (CHECK, {"url": "http://x/", "status": 99}, "99 is no status"),
        (CHECK, {"url": "http://x/", "body": "("}, "`body` is not a regular expression"),
    ],
)
def test_what_could_not_be_asked_is_refused(kind: Kind, fields: dict[str, JSON], summary: str) -> None:
    assert summary in [problem.summary for problem in kind.schema.problems(fields)]
