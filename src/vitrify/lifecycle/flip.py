"""What a flip would mean, said before it happens and in both directions: what carries over, what does not, where state goes.

What was declared or seen is said as it is; what nobody can know from here begins with `assumed`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Host, Limits, Server
from vitrify.core.plan import Owned
from vitrify.core.resource import Kinds, Phase, Resource

_SHOWN = 3


@dataclass(frozen=True)
class InPlace:
    """What a host holds of a server that was converged there."""

    owned: tuple[Owned, ...] = ()
    undeclared: tuple[str, ...] = ()
    """Paths in folders of the server's own that no resource brought: what its process, or somebody, wrote there."""


def own_folders(wishes: Sequence[Resource]) -> tuple[str, ...]:
    """The folders that are the server's own: those that are declared, and those that trees are copied to; none inside another."""
    named = {"directory": "path", "tree": "to"}
    kept = [(wish.fields, named[wish.address.kind]) for wish in wishes if wish.address.kind in named and not wish.absent]
    found = {str(fields[name]) for fields, name in kept}
    return tuple(path for path in sorted(found) if not any(_within(path, other) for other in found - {path}))


def to_image(server: Server, host: Host, found: InPlace, *, kinds: Kinds) -> tuple[str, ...]:
    """What becomes of a server that is changed in place as it turns into instances of an image. Pure."""
    wished = {wish.address for wish in server.resources}
    carried = sum(one.resource.address in wished for one in found.owned)
    new = len(server.resources) - carried
    return (
        f"carries over into the image: {carried or new} of {len(server.resources)} resources{_new(new if carried else 0)}",
        *_hosts_own(found.owned, host, kinds),
        *_state(server, host, found.undeclared),
        *_moves(server, host),
        f"the way back is planned like this one: `lifecycle: mutable`, then `vitrify plan`; {host.name} stays as it is until then",
    )


def _new(number: int) -> str:
    return f"; {number} not in place yet" if number else ""


def _hosts_own(owned: Iterable[Owned], host: Host, kinds: Kinds) -> Iterator[str]:
    """What the host was given that no image can hold, and what to write instead."""
    known = [one.resource for one in owned if one.resource.address.kind in kinds]
    bare = [str(wish.address) for wish in known if Phase.BAKE not in kinds[wish.address.kind].phases]
    if bare:
        instead = f"write them instead in a server of its own for {host.name}, `lifecycle: mutable`"
        yield f"has no meaning in an image, and stays the host's: {few(bare)}; {instead}"
    for wish in known:
        if names := [name for name in wish.fields if name in kinds[wish.address.kind].live_only]:
            instead = "the one `process` is what runs in an instance, and a change to it is a new release"
            yield f"has no meaning in an image: {', '.join(names)} of {wish.address}; {instead}"


def _state(server: Server, host: Host, undeclared: Sequence[str]) -> Iterator[str]:
    """Where the state of the process is on the other side."""
    for path, name in server.volumes.items():
        yield _volume(path, name, host)
    kept = (*server.writable, *server.volumes)
    for path in server.writable:
        instead = f"`volumes: {{{path}: {path}}}` instead keeps what {host.name} holds there"
        yield f"begins empty in each instance, and goes with it: {path} is `writable`; {instead}"
    lost = [path for path in undeclared if not any(path == other or _within(path, other) for other in kept)]
    for folder in own_folders(server.resources):
        if inside := [path for path in lost if _within(path, folder)]:
            instead = f"state that is to go on belongs to `volumes: {{{folder}: {folder}}}`, what may be lost to `writable`"
            yield f"is on {host.name} and not in the image: {few(inside)}; {instead}"
    user = _user(server)
    for wish in server.resources if user else ():
        path = str(wish.fields.get("path", wish.fields.get("home", "")))
        owner = wish.fields.get("owner") if wish.address.kind == "directory" else wish.fields.get("name")
        owns = owner == user and wish.address.kind in ("directory", "user") and path and not wish.absent
        if owns and not any(path == other or _within(path, other) for other in kept):
            yield f"assumed: {path} belongs to {user}, who runs the process, and is written to: then name it under `writable` or `volumes`"
    yield "assumed: the process writes nowhere else; an instance is read-only but for `writable` and `volumes`"


def _volume(path: str, name: str, host: Host) -> str:
    if name.startswith("/"):
        return f"keeps its state both ways: {path} in each instance is the folder {name} of {host.name}"
    instead = f"`volumes: {{{path}: {path}}}` shares the host's"
    return f"keeps none of what {host.name} holds: {path} is the volume {name}, a folder apart; {instead}"


def _moves(server: Server, host: Host) -> Iterator[str]:
    router = f"the router at {server.route.router.listen}" if server.route else "the address of each instance: there is no `route`"
    port = f"port {server.port} of {host.name}" if server.port else host.name
    yield f"both sides run from the switch on: who asks {port} is answered in place, and traffic moves by asking {router}"


def to_host(server: Server, host: Host) -> tuple[str, ...]:
    """What becomes of a server that is replaced as a whole as it turns into one that is changed in place. Pure."""
    base = () if server.base is None or server.base.kind == "host" else (_base(server, host),)
    return (
        f"carries over onto {host.name}: all of {len(server.wishes(host))} resources",
        *_images_own(server),
        *base,
        *(_back(path, name, host) for path, name in server.volumes.items()),
        *(f"goes with the instances: what they wrote to {path}, each for itself" for path in server.writable),
        *_moves_back(server, host),
        "the way back is planned like this one: `lifecycle: immutable`, then `vitrify plan`",
    )


def _base(server: Server, host: Host) -> str:
    return (
        f"assumed: {host.name} has what the base {server.base} brings and no resource declares; name under `package` what the process needs"
    )


def _images_own(server: Server) -> Iterator[str]:
    """What the instances have that nothing in place has, and what to write instead."""
    found = {
        f"replicas: {server.replicas}": server.replicas > 1 and "more `hosts`: each runs the process once",
        "limits": server.limits != Limits() and "a `file` beside its unit, with MemoryMax=, CPUQuota= or TasksMax=",
        "capabilities": bool(server.capabilities) and "a `file` beside its unit, with AmbientCapabilities=",
        "rollout": server.route is not None and "`batch` and `health`: an ill change is undone",
    }
    for name, instead in found.items():
        if instead:
            yield f"has no meaning in place: {name}; write instead {instead}"


def _back(path: str, name: str, host: Host) -> str:
    if name.startswith("/"):
        same = "where the process finds it" if name == path else f"while the process looks at {path}: name that one, or link it"
        return f"keeps its state both ways: the folder {name} of {host.name}, {same}"
    return f"stays behind: the volume {name}; copy it to {path} on {host.name}, or share that folder from the beginning: `{path}: {path}`"


def _moves_back(server: Server, host: Host) -> Iterator[str]:
    if server.port:
        routed = f" or {server.route.router.listen}, which leads to instances as long as there are any" if server.route else ""
        yield f"both sides run: traffic moves by asking port {server.port} of {host.name} in place of an instance{routed}"


def _user(server: Server) -> str:
    users = [wish.fields.get("user") for wish in server.resources if wish.address.kind == "process" and not wish.absent]
    return next((user for user in users if isinstance(user, str) and user != "root"), "")


def _within(path: str, folder: str) -> bool:
    return path.startswith(f"{folder.rstrip('/')}/")


def few(names: Sequence[str]) -> str:
    """The first of these, and how many more there are."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(names[:_SHOWN])}{more}"
