"""The call `bake`: makes resources true in an image that is being built. No journal: what was cut short is built anew."""

from __future__ import annotations

from dataclasses import replace
from typing import FrozenSet, Iterator, List, Sequence, Tuple

from vitrify.core import enrol
from vitrify.core.diagnostic import DeclarationInvalid, Denied, Diagnostic
from vitrify.core.difference import difference
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Event, Stage
from vitrify.core.packaging import NoIds
from vitrify.core.passwd import PATHS, Table
from vitrify.core.resource import Kind, Phase, Resource
from vitrify.core.system import Attributes
from vitrify.onhost.change import attempt, make_true
from vitrify.onhost.context import Context
from vitrify.onhost.observe import observed
from vitrify.onhost.owners import flatten, given_back
from vitrify.onhost.rooted import Rooted
from vitrify.onhost.sameness import even
from vitrify.onhost.scope import Here
from vitrify.onhost.supplied import chosen, lay_out

RUNNING = ("/",)
"""The lowest layer of an image on the base `host`: what is not in the image itself is only seen."""


def bake(context: Context, arguments: JSONObject) -> JSONObject:
    """Apply all resources in order, neighbours that go together in one act; the first failure skips the rest.

    Returns what each became, the attributes of what this layer holds, and with `keep` the table that a bake of the layer above
    begins with. `declared` names the accounts that layers beneath gave a password. With `owners`, for whoever is root of a user
    namespace alone, what was written is plain afterwards, and the answer's `owners` says what it was. DeclarationInvalid where what is
    declared can never be baked this way.
    """
    with given_back(arguments) as over:
        here = Here.at(context, over)
        try:
            answer = _baked(here, over)
        except NoIds as error:
            raise DeclarationInvalid([_granting(error.diagnostics[0], arguments.get("grant"))]) from error
        finally:
            owners = flatten(here.scope.root) if "owners" in arguments else {}
    return {**answer, "owners": owners} if "owners" in arguments else answer


def _baked(here: Here, arguments: JSONObject) -> JSONObject:
    lay_out(here.system, arguments)
    results: List[JSON] = []
    failed = False
    wishes = here.resources(arguments)
    for group in _groups(here, wishes):
        ended = [("skipped", "")] * len(group) if failed else _together(here, group)
        failed = failed or any(outcome == "failed" for outcome, _ in ended)
        for resource, (outcome, error) in zip(group, ended):  # noqa: B905  Python 3.9; one for each
            results.append({"address": str(resource.address), "outcome": outcome, "error": error})
    if _over_running(here):
        declared = arguments.get("declared")
        earlier = (str(name) for name in declared) if isinstance(declared, list) else ()
        own = (one.address.name for one in wishes if one.address.kind == "user" and "password" in one.fields)
        _shut(here, but=frozenset((*earlier, *own)))
    if not failed:
        written = here.system.attributes()
        even(here.system, declared=lambda path: path in written)
    answer: JSONObject = {"results": results, "attributes": here.system.attributes(), "chosen": {} if failed else chosen(here.system)}
    return {**answer, "table": here.system.table()} if arguments.get("keep") is True else answer


def _granting(refusal: Diagnostic, grant: JSON) -> Diagnostic:
    """The same, with what the machine that bakes lacks, and how to grant it."""
    if not isinstance(grant, dict):
        return refusal
    why, hint = str(grant.get("why", "")), str(grant.get("hint", ""))
    return replace(refusal, why="; ".join(filter(None, (refusal.why, why))), hint="; or ".join(filter(None, (hint, refusal.hint))))


def _over_running(here: Here) -> bool:
    return here.scope.lower[-1:] == RUNNING


def _groups(here: Here, wishes: Sequence[Resource]) -> List[List[Resource]]:
    """The resources in order, those in one list that are made in one act."""
    groups: List[List[Resource]] = []
    for wish in wishes:
        joins = bool(groups) and _act_of(here, groups[-1][0]) == _act_of(here, wish) != ()
        if joins:
            groups[-1].append(wish)
        else:
            groups.append([wish])
    return groups


def _act_of(here: Here, wish: Resource) -> Tuple[object, ...]:
    """Equal for neighbours that go together; empty for whatever is made alone."""
    return (wish.address.kind, wish.absent) if here.context.kinds[wish.address.kind].together else ()


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


def _together(here: Here, group: Sequence[Resource]) -> List[Tuple[str, str]]:
    """Make these true in one act; how each ended, and why not well."""
    kind, emit = here.context.kinds[group[0].address.kind], here.context.emit
    if Phase.BAKE not in kind.phases:
        for resource in group:
            emit(Event("bake", Stage.NOTICE, str(resource.address), "has no meaning in an image: left out"))
        return [("skipped", "")] * len(group)
    for resource in group:
        emit(Event("bake", Stage.STARTED, str(resource.address)))
    refused: List[DeclarationInvalid] = []
    error = attempt(lambda: _make(here, kind, group, refused))
    lacking = {resource.address for resource in group if error and _lacks(here, kind, resource)}
    ended = [error if resource.address in lacking or not lacking else "" for resource in group]
    for resource, why in zip(group, ended):  # noqa: B905  Python 3.9; one for each
        emit(Event("bake", Stage.FAILED if why else Stage.DONE, str(resource.address), why))
    if refused:
        raise refused[0]
    return [("failed" if why else "done", why) for why in ended]


def _make(here: Here, kind: Kind, group: Sequence[Resource], refused: List[DeclarationInvalid]) -> None:
    for resource in group:
        _refuse_secret(resource)
    found = zip(group, kind.observe_all(group, here.system))  # noqa: B905  Python 3.9; one for each
    changes = [difference(resource, desired=kind.desired(resource), seen=seen) for resource, seen in found]
    due = [replace(change, sureness=kind.sureness(change)) for change in changes if change is not None]
    try:
        make_true(here, kind, due)
    except DeclarationInvalid as error:
        refused.append(error)
        raise
    for path in _owned(here, kind, group):
        _hold(here.system, path)


def _refuse_secret(resource: Resource) -> None:
    if resource.secret:
        raise Denied(
            f"{resource.address} holds a secret and cannot be baked into an image",
            why="an image is copied, and kept, by many",
            hint="give it to the process: `env: {NAME: secret:name}`",
        )


def _owned(here: Here, kind: Kind, group: Sequence[Resource]) -> Iterator[str]:
    """The paths that an image over the running system must hold itself."""
    if _over_running(here):
        for resource in group:
            yield from () if resource.absent else kind.owned_paths(resource)


def _lacks(here: Here, kind: Kind, resource: Resource) -> bool:
    """Whether an act that failed left this one undone; it may have made others of its group true."""
    still: List[object] = []
    error = attempt(lambda: still.append(difference(resource, desired=kind.desired(resource), seen=observed(here, resource))))
    return bool(error) or still != [None]


def _hold(system: Rooted, path: str) -> None:
    """Take into the image what the running system holds as wished already: it is no part of the image, and may change or go."""
    seen = system.stat(path)
    if seen is None:
        return
    with system.beneath.at(path) as spot:
        entry = spot.entry()
    if entry is None or entry.layer < len(system.beneath.layers) - 1:
        return
    if seen.type == "link":
        system.make_link(path, to=seen.link)
    else:
        system.set_attributes(path, Attributes())


CALLS = {"bake": bake}
