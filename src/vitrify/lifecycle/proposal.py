"""What an apply of an immutable server would do, and why: from what is declared, what is remembered and what runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import TargetFailed, UsageInvalid
from vitrify.core.digest import JSONObject, digest_of
from vitrify.core.hook import EXPAND, STEPS
from vitrify.core.instance import Instance
from vitrify.core.phase import Standing as Whereabouts
from vitrify.core.plan import WAITING, ReleasePlan
from vitrify.core.strategy import RECREATE, Course, outline, peak, strategy_of
from vitrify.lifecycle import hooks, left_in_place, migration, record, upkeep
from vitrify.lifecycle.audit import ENTERED
from vitrify.lifecycle.baking import Wanted, wanted_of
from vitrify.lifecycle.lodging import elsewhere, places, refuse_other_name, served_anywhere
from vitrify.lifecycle.operation import SPOKEN, Intended, moved, untried
from vitrify.lifecycle.pins import reasons
from vitrify.lifecycle.retire import RETIRE
from vitrify.lifecycle.settings import RunSettings, from_json, to_json
from vitrify.lifecycle.traffic import lacking, waits
from vitrify.lifecycle.verdict import FAILED, goes_back, promoted, verdict, waits_on
from vitrify.lifecycle.world import Site, World
from vitrify.ports import Ground, Operation, Release, Slots


def declared(release: Release | None) -> object:
    """What a release was made from, as `Wanted.declared` names it."""
    return release.settings.get("declared") if release else None


@dataclass(frozen=True)
class Standing:
    """How the instances of a release stand."""

    sound: Mapping[str, str]
    """Id -> state, of those that nobody touched and that are kept alive."""
    altered: Mapping[str, tuple[JSONObject, ...]]
    """Id -> every difference from the image."""
    ended: Mapping[str, str]
    """Id -> state, of those that should run and do not."""
    replicas: int
    crashing: Mapping[str, str]
    """Id -> in words, of those that are kept alive and do not stay it: the next one would end the same way, so that it is only told."""

    @property
    def launch(self) -> int:
        """How many instances have to be started so that all are sound."""
        return max(0, self.replicas - len(self.sound))

    @property
    def because(self) -> tuple[str, ...]:
        """Each reason to start one, in words; an instance that left no trace has no name to be called by."""
        altered = (f"{instance}: {_altered(found)}" for instance, found in self.altered.items())
        ended = (f"{instance}: is {state}" for instance, state in self.ended.items())
        traceless = self.launch - len(self.altered) - len(self.ended)
        return (*altered, *ended, *((f"{traceless} of {self.replicas} instances left no trace",) if traceless > 0 else ()))


def _altered(found: Sequence[JSONObject]) -> str:
    details = found[0].get("details")
    if found[0]["change"] == ENTERED and isinstance(details, list):
        return str(details[0])
    return f"altered, {found[0]['change']} {found[0]['path']}{f' and {len(found) - 1} more' if found[1:] else ''}"


async def standing(site: Site, release: Release, world: World) -> Standing:
    """Look at every instance of a release: changes nothing."""
    sound: dict[str, str] = {}
    altered: dict[str, tuple[JSONObject, ...]] = {}
    known = await site.runtime.instances(world.labels(release.server, release.number))
    for instance in known:
        if upkeep.over(instance):
            continue
        if found := await site.runtime.altered(instance.id):
            altered[instance.id] = found
        else:
            sound[instance.id] = instance.state
    replicas = from_json(release.settings).replicas
    crashing = {instance.id: upkeep.crash(instance) for instance in known if upkeep.crashing(instance, now=world.clock.now())}
    return Standing(sound, altered, upkeep.ended(known, replicas=replicas), replicas, crashing)


async def propose(server: Server, host: Host, site: Site, world: World) -> ReleasePlan:
    """What an apply would do on this host: nothing, a new release, one that other hosts have already, new instances of the live one, or
    the end of an unfinished rollout.
    """  # noqa: D205  one sentence
    refuse_other_name(server, host, world)
    wanted, operation = wanted_of(server, world), world.state.open_operation(server.name, host.name)
    slots = world.state.slots(server.name, host.name)
    live = world.state.release(server.name, slots.live) if slots.live else None
    begun = world.state.release(server.name, operation.release) if operation else None
    ground, lacking = await _ground(wanted, site)
    planned = await _nothing(wanted, host, ground, world)
    planned = replace(planned, notices=(*planned.notices, *lacking))
    given_up = operation is not None and verdict(operation, world) == FAILED
    if operation and begun and operation.kind != RETIRE and declared(begun) == wanted.declared and not given_up:
        if told := _waits(operation, begun, world):
            ended = await _lacking(operation, begun, site, world)
            return replace(planned, kind=WAITING, release=begun.number, because=(told,), launch=ended)
        launched = await site.runtime.instances(world.labels(server.name, begun.number)) if operation.kind in ("release", "join") else ()
        return _resumed(await _anew(planned, live, wanted, site, world), operation, begun, launched)
    if operation:
        planned = replace(
            planned, notices=(*planned.notices, f"an unfinished {SPOKEN[operation.kind]} of release {operation.release} is ended first")
        )
    stays = operation is None or goes_back(operation, world) or not await _leads_elsewhere(operation, begun, site)
    other_base = live is not None and _other_base(live, ground)
    if live and stays and declared(live) == wanted.declared and not other_base:
        strays = {} if operation else await _strays(site, slots, world.labels(server.name))
        return _mended(planned, await standing(site, live, world), strays, operation, from_json(live.settings))
    anew = await _anew(planned, live, wanted, site, world)
    known = _known_elsewhere(wanted, host, ground, world)
    if known:
        release, there = known
        joining = replace(anew, kind="join", release=release.number, because=(f"release {release.number} is what {there.name} has",))
        return joining if served_anywhere(server.name, release.number, world) else _strategic(joining, wanted.settings, "release")
    following = _following(server.name, world)
    anew = replace(anew, kind="release", release=following, because=_because(live, wanted, other_base=other_base))
    return _strategic(anew, wanted.settings, "release")


def _waits(operation: Operation, begun: Release, world: World) -> str:
    """What it waits for here, or elsewhere where it has done its part here; nothing where it may go on."""
    told = waits(operation, from_json(begun.settings))
    if told and promoted(operation, world) is None:
        return f"release {begun.number} waits {told}"
    elsewhere = waits_on(operation, world)
    return f"release {begun.number} waits on {', '.join(elsewhere)}" if elsewhere else ""


async def _lacking(operation: Operation, begun: Release, site: Site, world: World) -> int:
    """How many of its instances have to be started while it waits."""
    found = await site.runtime.instances(world.labels(begun.server, begun.number))
    return lacking(operation, from_json(begun.settings), found)


async def _nothing(wanted: Wanted, host: Host, ground: Ground | None, world: World) -> ReleasePlan:
    """The plan of what is as it should be, with what is to be said beside it."""
    server = wanted.server
    slots, quiet = world.state.slots(server.name, host.name), world.state.open_operation(server.name, host.name) is None
    first = host == places(server)[0]  # what is the server's own is told once
    contract, waiting = migration.promised(server.name, world) if quiet and first else (0, ())
    notices = await left_in_place.notices(server, host, world)
    return ReleasePlan(
        server=server.name,
        host=host.name,
        kind="none",
        release=slots.live or _following(server.name, world),
        live=slots.live,
        because=(),
        declared=digest_of([wanted.declared, ground.seen]) if ground else wanted.declared,
        kinds=wanted.kinds,
        notices=(*_notices(server, host, world), *notices, *_to_choose(wanted), *waiting),
        contract=contract,
    )


def _following(server: str, world: World) -> int:
    """The number that the next new release gets."""
    return max((release.number for release in world.state.releases(server)), default=0) + 1


def _known_elsewhere(wanted: Wanted, host: Host, ground: Ground | None, world: World) -> tuple[Release, Host] | None:
    """The newest release of what is wanted that another host has, or is about to have, and where that is."""
    server, found = wanted.server.name, list[tuple[Release, Host]]()
    for other in world.state.hosts(server):
        operation, slots = world.state.open_operation(server, other.name), world.state.slots(server, other.name)
        stays = operation is not None and operation.kind in ("release", "join") and not verdict(operation, world)
        numbers = (operation.release if operation and stays else None, slots.live)
        known = [world.state.release(server, number) for number in numbers if number and other.name != host.name]
        found += [(release, other) for release in known if release and declared(release) == wanted.declared]
    usable = [one for one in found if not _other_base(one[0], ground) and world.storage.has(one[0].image)]
    return max(usable, key=lambda one: one[0].number, default=None)


async def _leads_elsewhere(operation: Operation, begun: Release | None, site: Site) -> bool:
    """Whether the end of this unfinished operation leaves another release live, or none, than before it."""
    return operation.kind == RETIRE or (begun is not None and await moved(operation, from_json(begun.settings), site))


async def _strays(site: Site, slots: Slots, labels: Mapping[str, str]) -> dict[str, str]:
    """Running instances beside the live release that must not stay, with the reason: altered while warm, or nobody's."""
    found: dict[str, str] = {}
    for instance in await site.runtime.instances(labels):
        release = instance.labels.get("release")
        if instance.gone or release == str(slots.live):
            continue
        if release != str(slots.previous):
            found[instance.id] = "belongs to no release that is live or kept warm"
        elif altered := await site.runtime.altered(instance.id):
            found[instance.id] = _altered(altered)
    return found


def _mended(
    planned: ReleasePlan, found: Standing, strays: Mapping[str, str], operation: Operation | None, settings: RunSettings
) -> ReleasePlan:
    """The live release stays: what has to be replaced or to leave; nothing where all are sound and nothing is unfinished."""
    ill = bool(found.altered) or found.launch > 0 or bool(strays)
    begun = (f"what was begun with release {operation.release} is not wanted any more",) if operation else ()
    because = (*begun, *found.because, *(f"{instance}: {reason}" for instance, reason in strays.items()))
    mended = replace(
        planned,
        kind="replace" if ill or operation else "none",
        because=because,
        launch=found.launch,
        replace=(*found.altered, *found.ended, *strays),
        notices=(*planned.notices, *(f"{instance} {told}; `vitrify logs {instance}`" for instance, told in found.crashing.items())),
    )
    return _strategic(mended, settings, "replace") if ill else mended


def _resumed(planned: ReleasePlan, operation: Operation, begun: Release, there: Sequence[Instance]) -> ReleasePlan:
    kept = {*Intended.from_json(operation.data).keep, *(one.id for one in there if not one.gone)}
    launch = max(0, from_json(begun.settings).replicas - len(kept))
    how = "was being taken back" if Whereabouts.of(operation.step).taken_back else "was interrupted"
    resumed = replace(planned, kind="resume", release=begun.number, because=(f"its {SPOKEN[operation.kind]} {how}",), launch=launch)
    return _strategic(resumed, from_json(begun.settings), "release" if untried(operation) else operation.kind)


def _strategic(planned: ReleasePlan, settings: RunSettings, kind: str) -> ReleasePlan:
    """The same plan, with how requests will be moved and what that takes."""
    rollout, replicas = settings.rollout, settings.replicas
    strategy = strategy_of(rollout.strategy, kind, live=planned.live is not None, route=settings.route is not None)
    told = outline(strategy, rollout.manner, replicas=replicas) if kind == "release" or strategy == RECREATE else ()
    extra = peak(strategy, rollout.manner, replicas=replicas, launch=planned.launch) if planned.live is not None else 0
    return replace(planned, course=Course(strategy, extra, told))


async def _anew(planned: ReleasePlan, live: Release | None, wanted: Wanted, site: Site, world: World) -> ReleasePlan:
    found = await site.runtime.instances(world.labels(live.server, live.number)) if live else ()
    return replace(
        planned,
        resources=_differences(wanted.resources, live.resources if live else {}),
        launch=wanted.settings.replicas,
        replace=tuple(instance.id for instance in found if not instance.gone),
        bytes_to_read=_bytes(wanted.server),
        last_seconds=_last_seconds(wanted.server.name, world),
        notices=(*planned.notices, *(_of_the_server(wanted, world) if planned.host == places(wanted.server)[0].name else ())),
    )


def _of_the_server(wanted: Wanted, world: World) -> tuple[str, ...]:
    """What is told of a new release once, however many hosts it goes to."""
    superseded = migration.superseded(wanted.server.name, wanted.settings.hooks, world)
    return (*superseded, *hooks.foretold(wanted.settings.hooks, (*STEPS, "release", "bake", EXPAND)))


async def _ground(wanted: Wanted, site: Site) -> tuple[Ground | None, tuple[str, ...]]:
    """The base as it is now; a base that cannot be looked at is told, but what is live goes on without it."""
    try:
        return await site.builder.ground(wanted.request.base), ()
    except (UsageInvalid, TargetFailed) as error:
        return None, (f"the next bake will fail: {error.diagnostics[0].summary}",)


def _other_base(live: Release, ground: Ground | None) -> bool:
    packed = live.settings.get("base")
    return ground is not None and isinstance(packed, str) and packed != ground.layer


def _differences(now: dict[str, str], before: object) -> tuple[tuple[str, str], ...]:
    old = before if isinstance(before, dict) else {}
    found = [(address, "create" if address not in old else "update") for address, digest in now.items() if old.get(address) != digest]
    return (*found, *((address, "remove") for address in old if address not in now))


def _because(live: Release | None, wanted: Wanted, *, other_base: bool) -> tuple[str, ...]:
    if live is None:
        return ("there is no release yet",)
    base = (f"the base changed: {wanted.request.base} is not as it was packed for release {live.number}",) if other_base else ()
    differences = _differences(wanted.resources, live.resources)
    pinned = reasons(live.settings.get("pinned"), wanted.pinned, base=str(wanted.server.base), release=live.number)
    if differences:
        return (f"resources that differ from release {live.number}: {len(differences)}", *base, *pinned)
    old, new = to_json(from_json(live.settings)), to_json(wanted.settings)
    changed = [name for name in new if new[name] != old.get(name) and name not in ("rollout", "health")]
    settings = tuple(f"{name} differs from release {live.number}" for name in changed)
    if settings or base or pinned:
        return (*settings, *base, *pinned)
    if declared(live) == wanted.declared:
        return (f"release {live.number} does not stay live",)
    return (f"{wanted.request.base} is another base than that of release {live.number}",)


def _to_choose(wanted: Wanted) -> tuple[str, ...]:
    if not wanted.pinned.lacking:
        return ()
    return (f"vitrify.lock says nothing for {wanted.server.name} yet: the bake chooses what it installs, and writes it there",)


_HELD = ("is left as it is", "are left as they are")


def _notices(server: Server, host: Host, world: World) -> tuple[str, ...]:
    notices = [*server.notices, *elsewhere(server, host, world)]
    held = [other for other in server.hosts if other not in places(server)]
    if held and not host.is_remote:
        others = ", ".join(other.name for other in held)
        notices.append(f"instances run on this machine once, for {host.name}: {others} {_HELD[len(held) > 1]}")
    if host.is_folder:
        notices.append(f"{host.name} is a folder: instances run on this machine, the folder itself stays as it is")
    return tuple(notices)


def _bytes(server: Server) -> int:
    entries = [resource.fields.get("entries") for resource in server.resources]
    sizes = [item.get("size", 0) for tree in entries if isinstance(tree, dict) for item in tree.values() if isinstance(item, dict)]
    return sum(size for size in sizes if isinstance(size, int))


def _last_seconds(server: str, world: World) -> float | None:
    newest = record.last(world.ledger, server=server, kinds=("release.timed",))
    spent = newest.body.get("ms") if newest else None
    return spent / 1000 if isinstance(spent, int) else None
