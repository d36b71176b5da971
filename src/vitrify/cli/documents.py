"""The JSON form of every result. These are an interface: fields are added, never changed; each document names its schema."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from vitrify.core.digest import JSON, JSONObject
    from vitrify.core.entered import Entered
    from vitrify.core.host_report import LogsTold, ReleasesTold
    from vitrify.core.image_report import ImageKept, ImageMoved, ImageVerified, Updated
    from vitrify.core.migrated import Contracted
    from vitrify.core.plan import Plan
    from vitrify.core.report import (
        Applied,
        Bootstrapped,
        Check,
        Converged,
        EntryView,
        InstanceStatus,
        LeaseView,
        Outdated,
        PlaceStatus,
        Released,
        ReleaseStatus,
        ServerStatus,
        Verified,
    )
    from vitrify.core.retention import Collected, Pin
    from vitrify.core.store_report import StoreChecked


def document(name: str, /, **parts: JSON) -> JSONObject:
    """A document of the schema `vitrify.dev/NAME/v1`."""
    return {"schema": f"vitrify.dev/{name}/v1", **parts}


def applied(result: Applied) -> JSONObject:
    """The document of `apply`."""
    hosts: list[JSON] = [_converged(host) for host in result.hosts]
    releases: list[JSON] = [_released(release) for release in result.releases]
    return document("applied", hosts=hosts, releases=releases, problems=_problems(result), held=_held(result))


def undone(result: Applied) -> JSONObject:
    """The document of `undo`."""
    return document("undone", hosts=[_converged(host) for host in result.hosts], problems=_problems(result))


def _problems(result: Applied | ReleasesTold | LogsTold | ServerStatus) -> list[JSON]:
    return [problem.to_json() for problem in result.problems]


def _held(result: Applied) -> list[JSON]:
    return [{"server": server, "host": host} for server, host in result.held]


def rolled_back(result: Applied) -> JSONObject:
    """The document of `rollback`: how it ended on the first host, and on each of them under `hosts`."""
    return _by_host("rollback", result)


def promoted(result: Applied) -> JSONObject:
    """The document of `promote`, which has the same parts."""
    return _by_host("promote", result)


def _by_host(name: str, result: Applied) -> JSONObject:
    first = _released(result.releases[0]) if result.releases else {}
    hosts: list[JSON] = [_released(release) for release in result.releases]
    return document(name, **{**first, "hosts": hosts, "problems": _problems(result), "held": _held(result)})


def aborted(server: str, release: int, live: int | None, result: Applied) -> JSONObject:
    """The document of `abort`: which release serves now on each host under `hosts`."""
    hosts: list[JSON] = [{"host": one.host, "live": one.release or None} for one in result.releases]
    return document("abort", server=server, release=release, live=live, hosts=hosts, problems=_problems(result))


def paused(server: str, result: Applied, *, paused: bool) -> JSONObject:
    """The document of `pause` and `resume`."""
    return document("pause", server=server, paused=paused, problems=_problems(result), held=_held(result))


def contracted(result: Contracted) -> JSONObject:
    """The document of `contract`."""
    return document(
        "contracted",
        server=result.server,
        release=result.release,
        commands=list(result.commands),
        skipped=result.skipped,
        ms=round(result.seconds * 1000),
    )


def entered(server: str, found: Sequence[Entered]) -> JSONObject:
    """The document of `exec`."""
    rows: list[JSON] = [
        {
            "host": one.host,
            "instance": one.instance,
            "code": one.code,
            "entry": one.entry,
            "replaced": list(one.replaced),
            "left": one.left,
        }
        for one in found
    ]
    return document("exec", server=server, commands=rows)


def retired(server: str, instances: int, result: Applied) -> JSONObject:
    """The document of `retire`."""
    hosts: list[JSON] = [_converged(host) for host in result.hosts]
    return document("retire", server=server, instances=instances, hosts=hosts, problems=_problems(result), held=_held(result))


def forgotten(result: Applied) -> JSONObject:
    """The document of `forget`."""
    return document("forget", hosts=[{"server": host.server, "host": host.host} for host in result.hosts], problems=_problems(result))


def taken_over(result: Applied, planned: Plan) -> JSONObject:
    """The document of `import`: on each host how many resources are managed now, and which differ and were left alone."""
    from vitrify.core.plan import HostPlan

    hosts: list[JSON] = [
        {
            "server": plan.server,
            "host": plan.host,
            "managed": [str(resource.address) for resource in plan.settled],
            "different": [str(change.resource.address) for change in plan.changes],
        }
        for plan in planned.servers
        if isinstance(plan, HostPlan)
    ]
    return document("import", hosts=hosts, problems=[problem.to_json() for problem in (*planned.problems, *result.problems)])


def status(servers: Sequence[ServerStatus]) -> JSONObject:
    """The document of `status`."""
    return document("status", servers=[_server(server) for server in servers])


def outdated(rows: Sequence[Outdated]) -> JSONObject:
    """The document of `outdated`."""
    hosts: list[JSON] = [{**asdict(row), "packages": [{**asdict(one), "origins": [*one.origins]} for one in row.packages]} for row in rows]
    return document("outdated", hosts=hosts)


def updated(result: Updated) -> JSONObject:
    """The document of `update`."""
    moves: list[JSON] = [asdict(move) for move in result.moves]
    return document("updated", servers=list(result.servers), moves=moves, written=result.written)


def bootstrapped(rows: Sequence[Bootstrapped]) -> JSONObject:
    """The document of `bootstrap`."""
    return document("bootstrap", hosts=[asdict(row) for row in rows])


def releases(found: ReleasesTold) -> JSONObject:
    """The document of `releases`."""
    return document("releases", releases=[_release(release) for release in found.rows], problems=_problems(found))


def logs(name: str, found: LogsTold) -> JSONObject:
    """The document of `logs`."""
    return document("logs", name=name, text=found.text, problems=_problems(found))


def images(found: Sequence[ImageKept]) -> JSONObject:
    """The document of `images`."""
    rows: list[JSON] = [
        {
            "image": one.image,
            "bytes": one.size,
            "base": one.base,
            "server": one.server,
            "releases": list(one.releases),
            "names": list(one.names),
        }
        for one in found
    ]
    return document("images", images=rows)


def moved(verb: str, found: ImageMoved) -> JSONObject:
    """The document of `push`, `pull` and `export`."""
    return document(verb, image=found.image, place=found.place, manifest=found.manifest, bytes=found.moved_bytes)


def entries(found: Sequence[EntryView]) -> JSONObject:
    """The document of `ledger show` and `ledger grep`."""
    return document("entries", entries=[_entry(entry) for entry in found])


def verified(result: Verified) -> JSONObject:
    """The document of `ledger verify`."""
    return document(
        "verified",
        origin=result.origin,
        size=result.size,
        root=result.root,
        signed_by=[*result.signed_by],
        problems=[*result.problems],
        holds=not result.problems,
        details=result.details,
    )


def image_verified(result: ImageVerified) -> JSONObject:
    """The document of `verify`."""
    verdicts: list[JSON] = [{"name": one.name, "holds": one.holds, "found": one.found} for one in result.verdicts]
    return document("image-verified", image=result.image, verdicts=verdicts, holds=all(one.holds for one in result.verdicts))


def checks(found: Sequence[Check]) -> JSONObject:
    """The document of `doctor`."""
    return document("doctor", checks=[{"name": each.name, "state": each.state, "found": each.found, "hint": each.hint} for each in found])


def _converged(host: Converged) -> JSONObject:
    return {
        "server": host.server,
        "host": host.host,
        "run": host.run,
        "outcomes": [
            {"address": each.address, "outcome": each.outcome, "error": each.error, "besides": [*each.besides]} for each in host.outcomes
        ],
        "not_undone": [*host.not_undone],
        "stays": [*host.stays],
        "health": host.health,
        "undone": host.undone,
        "ms": _ms(host.seconds),
    }


def _released(release: Released) -> JSONObject:
    return {
        "server": release.server,
        "host": release.host,
        "kind": release.kind,
        "release": release.release,
        "previous": release.previous,
        "image": release.image,
        "instances": [*release.instances],
        "url": release.url,
        "warm": release.warm,
        "switch_ms": _ms(release.switch_seconds),
        "answer_ms": None if release.answer_seconds is None else _ms(release.answer_seconds),
        "ms": _ms(release.seconds),
        "waits": release.waits,
        "preview": release.preview,
    }


def leases(found: Sequence[LeaseView]) -> JSONObject:
    """Who holds, or last held, which lease."""
    return document("leases", leases=[asdict(one) for one in found])


def _server(server: ServerStatus) -> JSONObject:
    return {
        "name": server.name,
        "lifecycle": server.lifecycle,
        "hosts": [*server.hosts],
        "owned": server.owned,
        "last_run": server.last_run,
        "last_by": server.last_by,
        "last_at": server.last_at,
        **_standing(server),
        "problems": _problems(server),
        "places": [_place(place) for place in server.places],
    }


def _place(place: PlaceStatus) -> JSONObject:
    return {
        "host": place.host,
        "declared": place.declared,
        "unreachable": place.unreachable,
        **_standing(place),
    }


def _standing(found: ServerStatus | PlaceStatus) -> JSONObject:
    """How it stands: a server, or one of its hosts."""
    return {
        "unfinished": found.unfinished,
        "live": found.live,
        "previous": found.previous,
        "url": found.url,
        "instances": [_instance(instance) for instance in found.instances],
        "problem": found.problem,
        "rollout": asdict(found.rollout) if found.rollout else None,
        "paused": found.paused,
        "preview": found.preview,
    }


def _instance(instance: InstanceStatus) -> JSONObject:
    return {
        "id": instance.id,
        "release": instance.release,
        "slot": instance.slot,
        "state": instance.state,
        "address": instance.address,
        "age_ms": _ms(instance.age_seconds),
        "restarts": instance.restarts,
        "health": instance.health,
        "entered": instance.entered,
    }


def _release(release: ReleaseStatus) -> JSONObject:
    return {
        "server": release.server,
        "number": release.number,
        "state": release.state,
        "slot": release.slot,
        "image": release.image,
        "created_at": release.created_at,
        "running": release.running,
        "live_on": [*release.live_on],
        "tier": release.tier,
        "notes": [*release.notes],
    }


def _entry(entry: EntryView) -> JSONObject:
    said: JSONObject = {"sequence": entry.sequence, "at": entry.at, "author": entry.author, "kind": entry.kind}
    return {**said, "actor": _json(entry.actor), "body": _json(entry.body)}


def _json(value: object) -> JSON:
    """A body as JSON values; what JSON cannot say becomes text."""
    if isinstance(value, Mapping):
        return {str(name): _json(part) for name, part in value.items()}
    if isinstance(value, (list, tuple)):
        return [_json(part) for part in value]
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _ms(seconds: float) -> float:
    return round(seconds * 1000, 3)


def collected(found: Sequence[Collected], *, dry_run: bool) -> JSONObject:
    """The document of `store collect`."""
    rows: list[JSON] = [
        {
            "place": one.place,
            "images": [*one.images],
            "roots": [*one.roots],
            "blobs": one.blobs,
            "bytes": one.size,
            "problem": one.problem,
        }
        for one in found
    ]
    return document("collected", places=rows, dry_run=dry_run)


def pins(found: Sequence[Pin]) -> JSONObject:
    """The document of `store pin`, `unpin` and `pins`; times are seconds since the epoch, `until` is null where there is none."""
    rows: list[JSON] = [
        {
            "image": one.image,
            "reason": one.reason,
            "by": one.by,
            "at": round(one.at),
            "until": round(one.until) if one.until else None,
            "project": one.project,
        }
        for one in found
    ]
    return document("pins", pins=rows)


def store_checked(found: StoreChecked) -> JSONObject:
    """The document of `store check`."""
    bad: list[JSON] = [{"what": one.what, "why": one.why, "uses": [*one.uses], "removed": one.removed} for one in found.bad]
    return document("store-checked", blobs=found.blobs, roots=found.roots, bytes=found.size, bad=bad, holds=not found.bad)
