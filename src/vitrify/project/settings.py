"""The settings of a server as core values: hosts, base, health, route, rollout and limits."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Protocol

from vitrify.core.declaration import Base, Health, Host, Limits, Mirror, Rollout, Route, Router, Sticky
from vitrify.core.diagnostic import Location, VitrifyError
from vitrify.core.reference import Reference
from vitrify.core.schema import near
from vitrify.project import suited
from vitrify.project.envelope import HostPart, LimitsPart, MirrorPart, ServerPart
from vitrify.project.node import Node, walk
from vitrify.project.problems import Problems
from vitrify.project.secrets import DeclaredSecrets
from vitrify.project.serving import HealthPart, RolloutPart, RoutePart, RouterPart
from vitrify.project.values import SSH_HOST

SSH_PORT = 22
LARGEST_TEXT = 64 * 1024
"""Characters of a page or of certificates: they are kept with each release."""


class Routing(Protocol):
    """What routes are read against."""

    @property
    def folder(self) -> Path:
        """The project's folder."""

    @property
    def routers(self) -> Mapping[str, Router | None]:
        """The declared routers; None for one that something is wrong with."""


def hosts(parts: list[HostPart], node: Node, folder: Path, problems: Problems) -> tuple[Host, ...]:
    """Where the server lives; the same place twice is noted."""
    found: dict[str, Host] = {}
    for index, part in enumerate(parts):
        host = host_at(part.at, folder)
        # The same machine is the same host, whoever logs in there.
        place = f"{host.address}:{host.port or SSH_PORT}" if host.is_remote else host.folder
        if place in found:
            hint = "" if found[place].name == host.name else f"`{found[place].name}` is the same place"
            problems.add(f"the host `{part.at}` is listed twice", walk(node, ("hosts", index, "at")), hint=hint)
        found.setdefault(place, host)
    return tuple(found.values())


def host_at(at: str, folder: Path) -> Host:
    """The host that is written so."""
    if at == "local":
        return Host(at)
    if match := SSH_HOST.fullmatch(at):
        return Host(at, address=match["v6"] or match["name"], user=match["user"] or "", port=int(match["port"]) if match["port"] else None)
    return Host(at, beneath(folder, at.partition(":")[2]))


def beneath(folder: Path, path: str) -> str:
    """A path of the project as an absolute one."""
    return os.path.normpath(folder / path)


def base(name: str | None, folder: Path) -> Base | None:
    """What an image stands on."""
    if name is None or name in ("scratch", "host"):
        return Base(name) if name else None
    if name.startswith("debootstrap:"):
        return Base("debootstrap", suite=name.partition(":")[2])
    if not name.startswith("rootfs:"):
        return Base("oci", reference=str(Reference.parse(name)))
    return Base("rootfs", beneath(folder, name.partition(":")[2]))


def mirror(part: MirrorPart | None, folder: Path) -> Mirror | None:
    """Where a base's packages come from."""
    if part is None:
        return None
    keyring = beneath(folder, part.keyring) if part.keyring else ""
    return Mirror(tuple(part.uris), tuple(part.suites), tuple(part.components), keyring)


def health(part: HealthPart | None) -> Health | None:
    """How to tell that an instance serves."""
    if part is None:
        return None
    return Health(
        http=part.http or "",
        tcp=part.tcp,
        command=tuple(part.command or ()),
        status=part.status,
        passes=part.passes,
        interval=part.interval,
        timeout=part.timeout,
        grace=part.grace,
        port=part.port,
        body=part.body or "",
        header=part.header,
        host=part.host or "",
    )


def limits(part: LimitsPart) -> Limits:
    """What one instance may use."""
    memory, cpu = part.memory, part.cpu
    return Limits(memory.size if memory else None, cpu.thousandths if cpu else None, part.pids)


def needs_runtime(part: ServerPart, node: Node, problems: Problems) -> None:
    """What only one of the runtimes can do is noted where it stands beside the other."""
    if part.runtime == "podman" and part.base == "host":
        hint = "`base: rootfs:DIR` or `base: scratch`, or `runtime: bubblewrap`"
        problems.add("podman runs images that are whole, and `base: host` is not", walk(node, ("base",)), hint=hint)
    if part.runtime == "bubblewrap" and part.capabilities:
        where = walk(node, ("capabilities",), key=True)
        problems.add("bubblewrap keeps no capabilities", where, hint="`runtime: podman`, or take them out")


def needs_room(part: ServerPart, node: Node, problems: Problems) -> None:
    """A volume is a place of its own: neither in another nor in a folder that an instance writes to for itself."""
    for path in part.volumes:
        for other in (*part.writable, *(name for name in part.volumes if name != path)):
            if path == other or path.startswith(f"{other}/") or (other.startswith(f"{path}/") and other in part.writable):
                problems.add(f"the volume at {path} and {other} lie in each other", walk(node, ("volumes", path), key=True))


def rollout(part: RolloutPart) -> Rollout:
    """How a release goes into service."""
    return Rollout(part.strategy, part.drain, part.probation, part.keep_warm, part.retain, suited.manner(part))


def router(name: str, part: RouterPart, node: Node, folder: Path, problems: Problems) -> Router | None:
    """A traffic switch; a file that it names and that cannot be read is noted."""
    certificate = text_of(part.certificate, folder, walk(node, ("certificate",)), problems)
    roots = text_of(part.roots, folder, walk(node, ("roots",)), problems)
    if certificate is None or roots is None:
        return None
    tls = "given" if part.certificate else part.tls or "off"
    return Router(name, part.kind, part.listen, tls, certificate, part.key or "", part.authority or "", roots)


def text_of(path: str | None, folder: Path, at: Location, problems: Problems) -> str | None:
    """The text of a file of the project, empty where none is named; one that cannot be had is noted, and None."""
    if path is None:
        return ""
    try:
        text = Path(beneath(folder, path)).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        problems.add(f"the file `{path}` cannot be read", at, why=getattr(error, "strerror", None) or "it is not text in UTF-8")
        return None
    if len(text) > LARGEST_TEXT:
        problems.add(f"the file `{path}` is too large", at, hint=f"at most {LARGEST_TEXT} characters")
        return None
    return text


def route(part: RoutePart | None, node: Node, project: Routing, problems: Problems) -> Route | None:
    """What traffic reaches the server; a router that is not declared is noted, one that is wrong already was."""
    if part is None:
        return None
    routers = project.routers
    if part.router not in routers:
        known = f"routers: {', '.join(sorted(routers))}" if routers else 'declare it: `routers: {edge: {kind: caddy, listen: ":8080"}}`'
        problems.add(f"there is no router `{part.router}`", walk(node, ("route", "router")), hint=near(part.router, routers) or known)
    found = routers.get(part.router)
    page = text_of(part.maintenance, project.folder, walk(node, ("route", "maintenance")), problems)
    if found and found.tls in ("automatic", "internal") and not part.host:
        problems.add(f"`tls: {found.tls}` needs the host of every route", walk(node, ("route",)), hint="add `host: NAME`")
    if found is None or page is None:
        return None
    sticky = Sticky(part.sticky.cookie or "", part.sticky.header or "") if part.sticky else None
    asked = node.get("health")
    health = asked.get("http") if asked else None
    return Route(
        found,
        part.host or "",
        part.path,
        sticky=sticky,
        maintenance=page,
        health=f"{part.path.rstrip('/')}{health.value}" if health and isinstance(health.value, str) else "",
        websockets=part.websockets,
    )


def secrets_of(route: Route | None, node: Node, secrets: DeclaredSecrets, problems: Problems) -> Mapping[str, str]:
    """The key of the certificate that the route's router shows; one that cannot be had is noted."""
    if route is None or not route.router.key:
        return {}
    try:
        return {route.router.key: secrets.resolve(route.router.key)}
    except VitrifyError as error:
        first = error.diagnostics[0]
        problems.add(first.summary, walk(node, ("route", "router")), why=first.why, hint=first.hint)
        return {}
