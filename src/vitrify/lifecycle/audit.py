"""The audit: what runs against what was declared, and against what vitrify itself was authorised to do. Changes nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from vitrify.core.declaration import Host, Lifecycle, Server
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.difference import agrees
from vitrify.core.digest import JSON, JSONObject, digest_of
from vitrify.core.drift import REREAD, Audit, Class, Finding
from vitrify.core.instance import Instance
from vitrify.core.noise import Difference
from vitrify.core.plan import Owned, Seen
from vitrify.core.readable import shortened, whole
from vitrify.core.resource import MISSING, Address, Kinds, Resource
from vitrify.core.severity import rated
from vitrify.lifecycle import out_of_line, record, sealed, upkeep
from vitrify.lifecycle.fleet import problem
from vitrify.lifecycle.lodging import abandoned, lodged, places
from vitrify.lifecycle.mutable import DONE, scope, seen_from
from vitrify.lifecycle.serve_tally import AUDITED
from vitrify.lifecycle.settings import from_json
from vitrify.lifecycle.side_by_side import side_by_side
from vitrify.lifecycle.strangers import along
from vitrify.lifecycle.swept import Classing, spoken, texts, today
from vitrify.lifecycle.world import World
from vitrify.onhost.baseline import outer
from vitrify.ports import Release

_AT_ONCE = 5
"""Hosts that are looked at side by side."""
ENTERED = "entered"
"""The difference of an instance in which somebody was, with leave: the ledger says who and why."""
_KNOWN_WINDOW = 2000
"""So many entries are searched for findings that were told already, and twice as many more as there are findings now."""
_CHANGES = frozenset(
    {
        *("apply.done", "undo.done", "accept.done", "release.done", "replace.done", "rollback.done", "join.done", "retire.done"),
        *("respond.done", "quarantine.back"),
    }
)


async def audit(servers: Sequence[Server], world: World, *, full: bool, reread: float = REREAD) -> Audit:
    """Look at every host and every instance of these servers; each new unauthorised finding goes into the ledger.

    `full` reads every byte; else `reread` percent of the folders are read although nothing in them seems to have moved.
    A host that cannot be looked at is told; where none can, the first one's error is raised.
    """
    started = world.clock.monotonic()
    at = [(server, host) for server in servers for host in _places(server, world)]
    looked = await side_by_side([partial(_look, server, host, world, full=full, reread=reread) for server, host in at], at_most=_AT_ONCE)
    looks = [look for look in looked if isinstance(look, Audit)]
    lost = [(*place, error) for place, error in zip(at, looked, strict=True) if isinstance(error, VitrifyError)]
    if lost and not looks:
        raise lost[0][2]
    behind = [one for server in servers if server.lifecycle is Lifecycle.IMMUTABLE for one in out_of_line.findings(server, world)]
    since = {server.name: last_clean(server.name, world) for server in servers}
    found = (finding for look in looks for finding in look.findings)
    findings = (*(replace(finding, since=since[finding.server]) for finding in found), *behind)
    record_new(unauthorised(findings), world)
    return Audit(
        findings=findings,
        resources=sum(look.resources for look in looks),
        entries=sum(look.entries for look in looks),
        instances=sum(look.instances for look in looks),
        read=sum(look.read for look in looks),
        lapsed=tuple(dict.fromkeys(rule for look in looks for rule in look.lapsed)),
        unrecorded=tuple(dict.fromkeys(folder for look in looks for folder in look.unrecorded)),
        seconds=world.clock.monotonic() - started,
        problems=tuple(problem(server.name, host.name, error) for server, host, error in lost),
    )


def last_clean(server: str, world: World) -> str:
    """When somebody last looked at a server, and found nothing unauthorised; "" where the ledger knows of no such look."""
    newest = record.last(world.ledger, server=server, kinds=(AUDITED,))
    found = newest.body.get("findings") if newest else None
    clean = isinstance(found, dict) and not found.get(Class.UNAUTHORISED.value)
    return newest.at if newest and clean else ""


def _places(server: Server, world: World) -> tuple[Host, ...]:
    """Where a server is looked at: of an immutable one also the hosts that it is declared on no more, and has instances on."""
    return server.hosts if server.lifecycle is Lifecycle.MUTABLE else (*places(server), *abandoned(server, world))


async def _look(server: Server, host: Host, world: World, *, full: bool, reread: float) -> Audit:
    if server.lifecycle is not Lifecycle.MUTABLE:
        return await audit_instances(server, host, world)
    look = await audit_host(server, host, world, full=full, reread=reread)
    for lodging in lodged(server.name, world) if host == server.hosts[0] else ():
        serving = await audit_instances(server, lodging, world)
        # No apply of this server touches an instance any more: what is wrong with one is only told, until they are retired.
        told = tuple(replace(finding, answer="report") for finding in serving.findings)
        look = replace(look, findings=(*look.findings, *told), instances=look.instances + serving.instances)
    return look


async def audit_host(server: Server, host: Host, world: World, *, full: bool, reread: float = REREAD) -> Audit:
    """Owned resources against the values last applied, and the declared folders against their baseline."""
    folders, guests = audited_folders(server, host), along(server.wishes(host), world)
    known_baseline = sealed.sealed(host, world)
    arguments: JSONObject = {
        "scope": scope(server.name, host, world),
        "resources": [resource.to_json() for resource in server.wishes(host)],
        "folders": list(folders),
        "full": full,
        "turn": world.state.turn(f"audit {server.name} {host.name}"),
        "shares": max(round(100 / reread), 1) if reread > 0 else 0,
        **known_baseline.arguments,
        **guests.arguments,
    }
    contents = known_baseline.beside(guests.contents)
    async with world.session(host) as session:
        answer = await session.call("audit", arguments, contents=contents, emit=world.emit)
    world.mirror.judged(answer.get("ledger"), host.name)
    rewritten = tuple(sealed.findings(server.name, host, folders, answer, known_baseline))
    seen = seen_from(answer)
    swept = Classing(server, host, answer, today(world.clock.now())).findings()
    explained = {path for finding in swept for path in (finding.path, *finding.paths)}
    known = record.last(world.ledger, server=server.name, host=host.name, kinds=(DONE,))
    owned = _resource_findings(server, host, seen, world.kinds, entry=known.sequence if known else None)
    return Audit(
        findings=(*rewritten, *swept, *(finding for finding in owned if finding.path not in explained)),
        resources=len(seen.owned),
        entries=int(str(answer["swept"])),
        instances=0,
        read=int(str(answer["read"])),
        lapsed=tuple(rule for rule in server.audit.noise if rule.lapsed(today(world.clock.now()))),
        unrecorded=tuple(folder for folder in texts(answer.get("missing")) if folder in server.audit.folders),
    )


def audited_folders(server: Server, host: Host) -> tuple[str, ...]:
    """Where a host is swept: the folders that are the server's own, and those that it says are to be audited."""
    return outer((*declared_folders(server.wishes(host)), *server.audit.folders))


def declared_folders(wishes: Sequence[Resource]) -> tuple[str, ...]:
    """The folders that are the server's own: what trees are copied to, and declared folders, without those inside others."""
    fields = [(resource.address.kind, resource.fields) for resource in wishes if not resource.absent]
    found = {str(values["to"]) for kind, values in fields if kind == "tree"}
    found |= {str(values["path"]) for kind, values in fields if kind == "directory"}
    return outer(found)


def _resource_findings(server: Server, host: Host, seen: Seen, kinds: Kinds, *, entry: int | None) -> Iterable[Finding]:
    for owned in seen.owned:
        observation = seen.observations.get(owned.resource.address)
        if observation is None or owned.resource.address.kind not in kinds:
            continue
        now = observation.properties if owned.seen is None else owned.seen
        drifted = [name for name in sorted(owned.applied) if not agrees(name, owned.applied, now)]
        if drifted:
            yield _drifted(server, host, owned, now, drifted)
        elif _declared_otherwise(server, host, owned, kinds, observation.properties):
            yield Finding(
                server=server.name,
                where=host.name,
                path=_named(owned.resource.address),
                change="changed",
                details=("the declaration changed after it was applied",),
                classed=Class.AUTHORISED,
                evidence="resource",
                entry=entry,
                answer="re-converge",
            )


def _drifted(server: Server, host: Host, owned: Owned, now: Mapping[str, JSON], names: list[str]) -> Finding:
    removed = now.get("type") == MISSING["type"]
    return Finding(
        server=server.name,
        where=host.name,
        path=_named(owned.resource.address),
        change="removed" if removed else "changed",
        details=() if removed else tuple(spoken(name, _short(owned.applied[name]), _short(now.get(name))) for name in names),
        classed=Class.UNAUTHORISED,
        evidence="resource",
        answer="re-converge",
        severity=rated(Difference(_named(owned.resource.address), None, None))[0],
        about=rated(Difference(_named(owned.resource.address), None, None))[1],
    )


def _named(address: Address) -> str:
    return address.name if address.name.startswith("/") else str(address)


def _short(value: object) -> JSON:
    return value if isinstance(value, (str, int, bool)) or value is None else "…"


def _declared_otherwise(server: Server, host: Host, owned: Owned, kinds: Kinds, now: Mapping[str, JSON]) -> bool:
    wish = next((wish for wish in server.wishes(host) if wish.address == owned.resource.address), None)
    if wish is None or wish.digest == owned.resource.digest:
        return False
    desired = kinds[wish.address.kind].desired(wish)
    return not all(agrees(name, desired, now) for name in desired)


async def audit_instances(server: Server, host: Host, world: World) -> Audit:
    """Every running instance against its image: a read-only root means that anything in the upper layer is a finding.

    And all of them against what is live: those that are too few, do not stay up, or belong to nobody.
    """
    findings: list[Finding] = []
    slots = world.state.slots(server.name, host.name)
    kept = {str(number) for number in (slots.live, slots.previous) if number}
    steady = world.state.open_operation(server.name, host.name) is None
    async with world.site(host) as site:
        instances = await site.runtime.instances(world.labels(server.name))
        running = [instance for instance in instances if not instance.gone]
        for instance in running:
            findings += altered_findings(server.name, {instance.id: await site.runtime.altered(instance.id)})
            if instance.labels.get("release") not in kept and steady:
                findings.append(_unkept(server.name, instance.id, "added", "runs, but belongs to no release that is live or kept warm"))
    live = world.state.release(server.name, slots.live) if slots.live else None
    if live and steady:
        own = [instance for instance in instances if instance.labels.get("release") == str(live.number)]
        findings += _upkeep(live, own, now=world.clock.now())
    return Audit(tuple(findings), resources=0, entries=0, instances=len(running))


def _upkeep(live: Release, own: Sequence[Instance], *, now: float) -> Iterable[Finding]:
    """What keeps the live release from being as many instances as it wants. In words that stay the same from look to look."""
    replicas = from_json(live.settings).replicas
    ended = upkeep.ended(own, replicas=replicas)
    for identity, state in ended.items():
        yield _unkept(live.server, identity, "removed", f"is {state}, and should run: release {live.number} is live")
    traceless = replicas - sum(not upkeep.over(instance) for instance in own) - len(ended)
    if traceless > 0:
        told = f"{traceless} of {replicas} instances left no trace, and should run: the release is live"
        yield replace(_unkept(live.server, f"release {live.number}", "removed", told), path=f"release:{live.number}")
    for instance in own:
        if upkeep.crashing(instance, now=now):
            told = f"crashes again and again; `vitrify logs {instance.id}` tells its last words"
            yield replace(_unkept(live.server, instance.id, "changed", told), answer="report")


def altered_findings(server: str, altered: Mapping[str, Sequence[JSONObject]]) -> list[Finding]:
    """What was found in the roots of these instances (id -> differences), which nobody may change."""
    return [_altered(server, instance, found) for instance, differences in altered.items() for found in differences]


def _altered(server: str, instance: str, found: JSONObject) -> Finding:
    details, modified, entry = found.get("details"), found.get("modified_at"), found.get("entry")
    entered = found["change"] == ENTERED
    return Finding(
        server=server,
        where=instance,
        path=str(found["path"]),
        change=str(found["change"]),
        details=tuple(shortened(str(detail)) for detail in details) if isinstance(details, list) else (),
        classed=Class.AUTHORISED if entered else Class.UNAUTHORISED,
        evidence="ledger" if entered else "overlay",
        entry=entry if isinstance(entry, int) else None,
        modified_at=modified if isinstance(modified, int) else None,
        owner=str(found.get("owner", "")),
        answer="replace",
    )


def _unkept(server: str, where: str, change: str, told: str) -> Finding:
    return Finding(
        server=server,
        where=where,
        path=f"instance:{where}",
        change=change,
        details=(told,),
        classed=Class.UNAUTHORISED,
        evidence="resource",
        answer="replace",
    )


def unauthorised(findings: Iterable[Finding]) -> list[Finding]:
    """Those that nobody had leave for."""
    return [finding for finding in findings if finding.classed is Class.UNAUTHORISED]


def record_new(findings: Sequence[Finding], world: World, *, told_as: Callable[[Finding], Finding] = lambda finding: finding) -> None:
    """One entry for each finding that was not told since the last change to its server: a repeated look adds nothing.

    `told_as` may add who it was: whoever looks later and does not know that finds the same thing, and adds nothing either.
    """
    if not findings:
        return
    told: dict[str, set[str]] = {}
    for entry in world.ledger.entries(max(0, world.ledger.size - _KNOWN_WINDOW - 2 * len(findings))):
        known = told.setdefault(str(entry.body.get("server")), set())
        if entry.kind in _CHANGES:
            known.clear()
        elif entry.kind == "finding":
            known.add(str(entry.body.get("finding")))
    for finding in findings:
        identity = digest_of(finding.identity)
        if identity not in told.get(finding.server, set()):
            told_of = told_as(finding)
            body = {**replace(told_of, diff="", paths=()).to_json(), "paths": len(told_of.paths), **_recorded(told_of)}
            # The ledger holds text alone, and a hostile name must not keep it silent.
            world.ledger.append("finding", {**body, "path": whole(finding.path), "finding": identity})


def _recorded(finding: Finding) -> JSONObject:
    """Who it was, without the command line: there is no taking back of a password that somebody typed, once it is in the ledger."""
    if finding.actor is None:
        return {}
    known = {name: value for name, value in finding.actor.to_json().items() if name != "command" and value is not None}
    at = finding.actor.at
    exe, who = whole(finding.actor.exe), whole(finding.who)
    return {"who": who, "actor": {**known, "exe": exe, "at": None if at is None else round(at)}}
