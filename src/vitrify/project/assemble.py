"""Puts one server together: its envelope, its resources for each host, and what its lifecycle needs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

from vitrify.core.batch import Pace
from vitrify.core.declaration import AllowedSecret, Content, Host, Lifecycle, Router, Server
from vitrify.core.diagnostic import DeclarationInvalid
from vitrify.core.digest import JSON
from vitrify.core.hook import Hook
from vitrify.core.noise import Noise
from vitrify.core.order import order
from vitrify.core.resource import Address, Resource
from vitrify.core.schedule import Schedule
from vitrify.core.schema import near
from vitrify.project import hooks, responding, settings, suited, supervision, watching
from vitrify.project.compile import Compiled, compile_wish
from vitrify.project.envelope import REFUSE, ServerPart
from vitrify.project.expand import PROCESS, Expansion, Profile
from vitrify.project.fitting import fitted
from vitrify.project.healing import healing
from vitrify.project.layers import Layer, Layers, scope_of
from vitrify.project.merge import fights, merged
from vitrify.project.node import Entry, Node, walk
from vitrify.project.part import read
from vitrify.project.policy import approvals, ignored
from vitrify.project.problems import Problems
from vitrify.project.resolve import Workshop
from vitrify.project.variables import Scope, fill


@dataclass(frozen=True)
class Project:
    """What all servers share. A router that is declared wrongly is None."""

    folder: Path
    layers: Layers
    profiles: Mapping[str, Profile]
    routers: Mapping[str, Router | None]
    workshop: Workshop
    hooks: tuple[Hook, ...] = ()
    """Of all servers."""
    schedule: Schedule = field(default_factory=Schedule)
    noise: tuple[Noise, ...] = ()
    """Of all servers."""


@dataclass(frozen=True)
class Wished:
    """The resources of a server under one set of variables, in order."""

    resources: tuple[Resource, ...]
    notices: tuple[str, ...]
    secrets: Mapping[str, str]


def assemble(name: str, entry: Entry, project: Project) -> Server | None:
    """The server, or None where something is wrong with it, each thing noted where it stands."""
    problems = project.workshop.problems
    layers, node = settled(name, entry, project.layers, problems)
    part = read(ServerPart, node, owner=entry.at, problems=problems)
    image = _is_image(node)
    if image:
        _needs_base(node, problems)
    by_host = _by_host(node, layers, project, image=image)
    if part is None:
        return None
    route = settings.route(part.route, node, project, problems)
    hosts = settings.hosts(part.hosts, node, project.folder, problems)
    _fits(part, hosts, node, problems, image=image)
    sound = {host: wished for host, wished in by_host.items() if wished}
    if len(sound) < len(by_host) or (part.route and not route):
        return None
    first = next(iter(sound.values()))
    found, secrets = _hooks(part, node, scope_of(layers), project)
    apart = {host: wished.resources for host, wished in sound.items() if wished.resources != first.resources}
    server = Server(
        name=name,
        lifecycle=Lifecycle(part.lifecycle),
        hosts=hosts,
        resources=first.resources,
        where=entry.at,
        base=settings.base(part.base, project.folder),
        mirror=settings.mirror(part.mirror, project.folder),
        health=settings.health(part.health),
        route=route,
        rollout=settings.rollout(part.rollout),
        pace=Pace(tuple(part.batch), part.max_fail),
        hooks=found,
        schedule=supervision.schedule(part.schedule, over=project.schedule),
        contents=_contents(sound.values(), project),
        secrets={**secrets, **{name: value for wished in sound.values() for name, value in wished.secrets.items()}},
        apart=apart,
        notices=tuple(dict.fromkeys(notice for wished in sound.values() for notice in wished.notices)),
    )
    return _confined(_with_key(server, node, project), part, project.noise)


def _with_key(server: Server, node: Node, project: Project) -> Server:
    """The server, with the key of the certificate that its router shows."""
    key = settings.secrets_of(server.route, node, project.workshop.secrets, project.workshop.problems)
    return replace(server, secrets={**server.secrets, **key})


def _hooks(part: ServerPart, node: Node, scope: Scope, project: Project) -> tuple[tuple[Hook, ...], Mapping[str, str]]:
    """What is run around its phases, and the secrets of that."""
    shop = project.workshop
    own = hooks.declared(node.get("hooks"), scope, shop.problems)
    found = (*project.hooks, *own, *hooks.migration(part.rollout.expand, part.rollout.contract))
    return found, hooks.secrets_of(found, node, shop.secrets, shop.problems)


def _confined(server: Server, part: ServerPart, noise: tuple[Noise, ...]) -> Server:
    return replace(
        server,
        audit=watching.policy(part.audit, over=(*ignored(part.policy), *noise)),
        responses=responding.responses(part.respond),
        runtime=part.runtime,
        healing=healing(part.heal),
        replicas=part.replicas,
        writable=tuple(part.writable),
        allowed_secrets=tuple(AllowedSecret(one.path, one.rule, one.reason) for one in part.allow_secrets),
        write_once=part.write_once,
        volumes=part.volumes,
        capabilities=tuple(part.capabilities),
        limits=settings.limits(part.limits),
        approvals=approvals(part.policy),
    )


def _fits(part: ServerPart, hosts: Sequence[Host], node: Node, problems: Problems, *, image: bool) -> None:
    settings.needs_room(part, node, problems)
    suited.suits(part, node, problems)
    if image:
        _needs_own_files(hosts, node, problems)
        settings.needs_runtime(part, node, problems)


def settled(name: str, entry: Entry, layers: Layers, problems: Problems) -> tuple[tuple[Layer, ...], Node]:
    """What gives variables to a server, and its node: its own keys filled in, and groups among its hosts spelt out."""
    own = layers.for_server(name, entry.node, problems)
    return own, layers.groups.spelt_out(_filled(entry.node, scope_of(own), problems), problems)


def _is_image(node: Node) -> bool:
    lifecycle = node.get("lifecycle")
    return lifecycle is not None and lifecycle.value == Lifecycle.IMMUTABLE.value


def _filled(node: Node, scope: Scope, problems: Problems) -> Node:
    """The server's own keys with variables filled in; resources wait for the variables of each host."""
    return _part_filled(node, scope, problems, literal=frozenset({"vars", "resources"}))


def _part_filled(node: Node, scope: Scope, problems: Problems, *, literal: frozenset[str]) -> Node:
    entries: dict[str, Entry] = {}
    for key, (at, value) in node.entries.items():
        if key == "hosts":
            items = tuple(_part_filled(item, scope, problems, literal=literal) for item in value.items)
            entries[key] = Entry(at, Node(items, value.at) if items else fill(value, scope, problems))
        else:
            entries[key] = Entry(at, value if key in literal else fill(value, scope, problems))
    return Node(entries, node.at) if node.entries else fill(node, scope, problems)


def _by_host(node: Node, layers: tuple[Layer, ...], project: Project, *, image: bool) -> Mapping[str, Wished | None]:
    """Host name -> what is wished for there. Hosts for which the same variables hold share one answer."""
    hosts = node.get("hosts")
    found: dict[str, Wished | None] = {}
    shared: dict[frozenset[tuple[str, int]], Wished | None] = {}
    for item in hosts.items if hosts and hosts.items else (Node(None, node.at),):
        host = str((item.get("at") or item).value)
        scope = scope_of(project.layers.for_host(layers, host, item, project.workshop.problems))
        same = frozenset((name, id(value)) for name, value in scope.variables.items())
        if same not in shared:
            shared[same] = _wished(node, scope, project, image=image)
        wished = shared[same]
        first = next(iter(found.values()), wished)
        if image and first and wished and first.resources != wished.resources:
            project.workshop.problems.add(
                "an image is the same on every host, and these variables make another one",
                item.entries["vars"].at if "vars" in item.entries else item.at,
                hint="use `lifecycle: mutable`, or a server for each",
            )
        found[host] = wished
    return found


def _wished(node: Node, scope: Scope, project: Project, *, image: bool) -> Wished | None:
    """The resources under these variables; None where something is wrong with one of them."""
    workshop, resources = project.workshop, node.get("resources")
    if resources is None:
        return None
    expansion = Expansion(workshop.kinds, project.profiles, workshop.problems)
    compiled = [compile_wish(wish, workshop, image=image) for wish in expansion.wishes(resources, scope)]
    sound = [one for one in compiled if one is not None]
    if len(sound) < len(compiled) or not expansion.complete:
        return None
    active, notices = merged((one for one in sound if one.resource), workshop.problems)
    fights(active, workshop.kinds, workshop.problems)
    dormant = {one.address for one in sound} - {one.address for one in active}
    linked = list(_linked(active, dormant, workshop))
    if image:
        _needs_process(active, node, workshop.problems)
    _needs_port(active, node, workshop.problems)
    if len(linked) < len(active):
        return None
    try:
        ordered = order(linked, kinds=workshop.kinds)
    except DeclarationInvalid as circle:
        workshop.problems.take(circle)
        return None
    secrets = {name: value for one in active for name, value in one.secrets.items()}
    told = (*notices, *ordered.notices)
    return _fitted(Wished(ordered.resources, told, secrets), node, workshop) if image else Wished(ordered.resources, told, secrets)


def _fitted(wished: Wished, node: Node, workshop: Workshop) -> Wished | None:
    """What an image can hold of it; None where the server refuses to lose the rest."""
    says = node.get("on_image")
    refuse = says is not None and says.value == REFUSE
    resources, notices = fitted(wished.resources, kinds=workshop.kinds, refuse=refuse, problems=workshop.problems)
    return None if refuse and notices else replace(wished, resources=resources, notices=(*wished.notices, *notices))


def _linked(active: list[Compiled], dormant: set[Address], workshop: Workshop) -> Iterator[Resource]:
    """The resources with what they come after. Whoever comes after something that does not count, comes after nothing."""
    known = {one.address for one in active}
    for one in active:
        heard = workshop.kinds[one.address.kind].listens(one.resource) if one.resource else {}
        named = [*one.after, *((address, one.wish.at) for address in heard)]
        lost = [(address, at) for address, at in named if address not in known and address not in dormant]
        for address, at in lost:
            hint = near(str(address), map(str, known)) or "name a resource of the same server"
            workshop.problems.add(f"there is no resource `{address}`", at, hint=hint)
        if one.resource and not lost:
            yield replace(one.resource, after=tuple(address for address, _ in one.after if address in known))


def _needs_base(node: Node, problems: Problems) -> None:
    if "base" not in node.entries:
        hint = "add `base: host` (the running system, read-only), `scratch`, `rootfs:DIR`, `debootstrap:SUITE` or an image's name"
        problems.add("an immutable server needs the key `base`", walk(node, ("lifecycle",)), hint=hint)


def _needs_own_files(hosts: Sequence[Host], node: Node, problems: Problems) -> None:
    """An image brings what it stands on to wherever it runs."""
    remote = next((host for host in hosts if host.is_remote), None)
    base = node.get("base")
    if remote and base is not None and base.value == "host":
        hint = "pack what it stands on: `base: rootfs:DIR`, or `base: scratch`"
        problems.add(f"an image on `base: host` is not run on `{remote.name}`: it has another system", walk(node, ("base",)), hint=hint)


def _needs_process(active: list[Compiled], node: Node, problems: Problems) -> None:
    """An image runs one process."""
    processes = [one for one in active if one.address.kind == PROCESS and one.resource and not one.resource.absent]
    if not processes:
        hint = "add to its resources: `- process: {name: web, command: [/usr/bin/python3, /srv/app/app.py], port: 8000}`"
        problems.add("an immutable server needs a `process`", walk(node, ("lifecycle",)), hint=hint)
    for one in processes[1:]:
        hint = f"`{processes[0].address}` is one already; make a server for each"
        problems.add("an image has one process", one.wish.at, why=f"the other one is at {processes[0].wish.at}", hint=hint)


def _needs_port(active: list[Compiled], node: Node, problems: Problems) -> None:
    """Health that asks on the server's own port needs one."""
    health = node.get("health")
    tcp = health.get("tcp") if health else None
    own = health is not None and ("http" in health.entries or (tcp is not None and tcp.value == 0)) and "port" not in health.entries
    ports = [one for one in active if one.address.kind == PROCESS and one.resource and "port" in one.resource.fields]
    if own and not ports and not problems.told(at := walk(node, ("health",), key=True)):
        hint = "give its `process` a `port`, or say where it answers: `health: {http: /, port: 80}`"
        problems.add("health is asked on the port of the server's `process`, and there is none", at, hint=hint)


def _contents(found: Iterable[Wished], project: Project) -> Mapping[str, Content]:
    """Every content that these resources name, by digest."""
    known = project.workshop.contents
    named = (text for wished in found for resource in wished.resources for text in _texts(resource.fields))
    return {digest: known[digest] for digest in named if digest in known}


def _texts(value: JSON | Mapping[str, JSON]) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for part in value.values():
            yield from _texts(part)
