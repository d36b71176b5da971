"""The call `bake`: makes resources true in an image that is being built. No journal: what was cut short is built anew."""

from __future__ import annotations

from dataclasses import replace
from typing import FrozenSet, List, Tuple

from vitrify.core import enrol
from vitrify.core.diagnostic import Denied
from vitrify.core.difference import difference
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.passwd import PATHS, Table
from vitrify.core.resource import Phase, Resource
from vitrify.core.system import Attributes
from vitrify.onhost.change import attempt, make_true
from vitrify.onhost.context import Context
from vitrify.onhost.observe import observed
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.scope import Here

RUNNING = ("/",)
"""The layers beneath an image on the base `host`: what is not in the image itself is only seen."""


def bake(context: Context, arguments: JSONObject) -> JSONObject:
    """Apply all resources in order; the first failure skips the rest. Returns what each became, and the table of attributes."""
    here = Here.at(context, arguments)
    results: List[JSON] = []
    failed = False
    wishes = here.resources(arguments)
    for resource in wishes:
        outcome, error = ("skipped", "") if failed else _one(here, resource)
        failed = failed or outcome == "failed"
        results.append({"address": str(resource.address), "outcome": outcome, "error": error})
    if here.scope.lower == RUNNING:
        _shut(here, but=frozenset(one.address.name for one in wishes if one.address.kind == "user" and "password" in one.fields))
    return {"results": results, "attributes": here.system.attributes()}


def _shut(here: Here, *, but: FrozenSet[str]) -> None:
    """Take the running system's passwords out of an image that got its shadow along with a user: an image is copied, and kept."""
    system, path = here.system, PATHS["shadow"]
    if system.stat(path) is None:
        return
    with system.beneath.at(path) as spot:
        entry = spot.entry()
    if entry is None or entry.layer != 0:
        return
    table = Table.read(system.read(path))
    system.write(path, enrol.shut(table, but).text(), attributes=Attributes())


def _one(here: Here, resource: Resource) -> Tuple[str, str]:
    address, emit = str(resource.address), here.context.emit
    if Phase.BAKE not in here.context.kinds[resource.address.kind].phases:
        emit(Event("bake", Stage.NOTICE, address, "has no meaning in an image: left out"))
        return "skipped", ""
    emit(Event("bake", Stage.STARTED, address))
    error = attempt(lambda: _make(here, resource))
    emit(Event("bake", Stage.FAILED if error else Stage.DONE, address, error))
    return ("failed" if error else "done"), error


def _make(here: Here, resource: Resource) -> None:
    if resource.secret:
        raise Denied(
            f"{resource.address} holds a secret and cannot be baked into an image",
            why="an image is copied, and kept, by many",
            hint="give it to the process: `env: {NAME: secret:name}`",
        )
    kind = here.context.kinds[resource.address.kind]
    seen = observed(here, resource)
    change = difference(resource, desired=kind.desired(resource), seen=seen)
    if change is not None:
        make_true(here, replace(change, sureness=kind.sureness(change)), leaving=False)
    if here.scope.lower == RUNNING and not resource.absent:
        for path in kind.owned_paths(resource):
            _hold(here.system, path)


def _hold(system: Rooted, path: str) -> None:
    """Take into the image what the running system holds as wished already: it is no part of the image, and may change or go."""
    seen = system.stat(path)
    if seen is None:
        return
    with system.beneath.at(path) as spot:
        entry = spot.entry()
    if entry is None or entry.layer == 0:
        return
    if seen.type == "link":
        system.make_link(path, to=seen.link)
    else:
        system.set_attributes(path, Attributes())


CALLS = {"bake": bake}
