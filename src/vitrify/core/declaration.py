"""A declaration, validated: what is wished for, as values. Loading is `project`'s work; nothing here reads a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import Enum
from typing import Mapping

from vitrify.core.audit_policy import AuditPolicy
from vitrify.core.batch import Pace
from vitrify.core.diagnostic import Location
from vitrify.core.digest import JSONObject, digest_of
from vitrify.core.healing import Healing
from vitrify.core.hook import Hook
from vitrify.core.notice import Notice
from vitrify.core.policy import Approvals
from vitrify.core.resource import Address, Resource
from vitrify.core.response import Response
from vitrify.core.schedule import Schedule
from vitrify.core.strategy import Manner


class Lifecycle(Enum):
    """How a server changes: patched in place, or replaced."""

    MUTABLE = "mutable"
    IMMUTABLE = "immutable"


@dataclass(frozen=True)
class Host:
    """Where a server lives: `local`, `root:DIR` (`folder` is then absolute) or `ssh://user@address:port`.

    `address` is what the OpenSSH client is given: a name that DNS or an ssh_config knows. Without `user` or `port`, its own apply.
    """

    name: str
    folder: str = ""
    address: str = ""
    user: str = ""
    port: int | None = None

    @property
    def is_folder(self) -> bool:
        """Whether the host is a folder treated as a server's root."""
        return bool(self.folder)

    @property
    def is_remote(self) -> bool:
        """Whether the host is another machine, reached by SSH."""
        return bool(self.address)

    def to_json(self) -> JSONObject:
        """The form in which it is remembered."""
        return {name: value for name, value in vars(self).items() if value}

    @classmethod
    def from_json(cls, data: JSONObject) -> Host:
        """Read what `to_json` wrote."""
        port = data.get("port")
        return cls(
            name=str(data["name"]),
            folder=str(data.get("folder", "")),
            address=str(data.get("address", "")),
            user=str(data.get("user", "")),
            port=port if isinstance(port, int) else None,
        )


@dataclass(frozen=True)
class Health:
    """How to tell that an instance serves. One of http (a path), tcp (a port; 0 = the instance's own), command. Seconds.

    `port` is where a host that is changed in place answers; the port of its process where it is None.
    """

    http: str = ""
    tcp: int | None = None
    command: tuple[str, ...] = ()
    status: int = 200
    passes: int = 2
    interval: float = 0.2
    timeout: float = 2.0
    grace: float = 30.0
    port: int | None = None
    body: str = ""
    """What the body of an answer must hold."""
    header: Mapping[str, str] = field(default_factory=dict)
    """Header -> its value, of which an answer must have all."""
    host: str = ""
    """The host name that is asked for; the address where it is empty."""

    def to_json(self) -> JSONObject:
        """The form that is sent and kept with a release."""
        said: JSONObject = {"body": self.body, "header": {**self.header}, "host": self.host}
        return {
            **{name: value for name, value in said.items() if value},
            "http": self.http,
            "tcp": self.tcp,
            "command": list(self.command),
            "status": self.status,
            "passes": self.passes,
            "interval_ms": round(self.interval * 1000),
            "timeout_ms": round(self.timeout * 1000),
            "grace_ms": round(self.grace * 1000),
        }


@dataclass(frozen=True)
class Router:
    """A traffic switch: `kind` caddy or haproxy, listening on `listen` (`host:port` or `:port`)."""

    name: str
    kind: str
    listen: str
    tls: str = "off"
    """off, automatic (a public authority), internal (the router's own authority), or given."""
    certificate: str = ""
    """Where `tls` is given: the chain in PEM, the server's own certificate first."""
    key: str = ""
    """The same: the name of the secret that is its private key."""
    authority: str = ""
    """Where `tls` is automatic: the directory of another ACME authority than the public one."""
    roots: str = ""
    """The same: the certificates in PEM by which that authority is known, where the host knows them not."""


@dataclass(frozen=True)
class Sticky:
    """A visitor stays where the first request went: told by a cookie that the router sets, or by a header that requests bring."""

    cookie: str = ""
    header: str = ""


@dataclass(frozen=True)
class Route:
    """What traffic reaches a server: through `router`, for requests to `host` (empty: any) below `path`."""

    router: Router
    host: str = ""
    path: str = "/"
    sticky: Sticky | None = None
    maintenance: str = ""
    """The page, in HTML, for whoever comes while nothing serves."""
    health: str = ""
    """The path that is answered while requests are held."""
    websockets: str = "drain"
    """drain: what is open holds an instance back as requests do; close: it ends with the instance, which does not wait for it."""


@dataclass(frozen=True)
class Rollout:
    """How a release goes into service. Times in seconds; `retain` counts releases kept beside the live one, for rollback."""

    strategy: str = "blue-green"
    drain: float = 30.0
    probation: float = 0.0
    keep_warm: float = 600.0
    retain: int = 5
    manner: Manner = field(default_factory=Manner)


@dataclass(frozen=True)
class Base:
    """What an image stands on: `scratch`, `host`, or what its one other field is about.

    That is `rootfs` with an absolute `folder`, `debootstrap` with a `suite`, `oci` with a `reference`.
    """

    kind: str
    folder: str = ""
    suite: str = ""
    reference: str = ""
    """Of an image in a registry, written out in full; by its digest, or by a tag that the lock pins."""

    def __str__(self) -> str:
        return ":".join(part for part in (self.kind, self.folder, self.suite, self.reference) if part)


@dataclass(frozen=True)
class Mirror:
    """Where packages of a base come from, in place of this machine's own sources. `keyring` is an absolute path, or empty."""

    uris: tuple[str, ...]
    suites: tuple[str, ...] = ()
    """The base's own suite where none is named."""
    components: tuple[str, ...] = ("main",)
    keyring: str = ""


@dataclass(frozen=True)
class Limits:
    """What one instance may use: bytes of memory, thousandths of a processor, processes. None is no limit of ours."""

    memory: int | None = None
    cpu: int | None = None
    pids: int | None = None

    def to_json(self) -> JSONObject:
        """The form that is sent and kept with a release: what is limited, alone."""
        found = {"memory": self.memory, "cpu": self.cpu, "pids": self.pids}
        return {name: value for name, value in found.items() if value is not None}

    @classmethod
    def from_json(cls, data: JSONObject) -> Limits:
        """Read what `to_json` wrote."""
        memory, cpu, pids = (value if isinstance(value, int) else None for value in map(data.get, ("memory", "cpu", "pids")))
        return cls(memory, cpu, pids)


@dataclass(frozen=True)
class Content:
    """Bytes that a resource names by digest: held here, or in a file of the project that is read when needed."""

    data: bytes | None = None
    path: str | None = None
    secret: bool = False
    start: int = 0
    """The byte of the file that it begins at."""
    size: int | None = None
    """How many bytes of the file it is; all of the rest where None."""


@dataclass(frozen=True)
class AllowedSecret:
    """A file of an image in which the gate finds a secret by `rule`, and that may be in it for this reason."""

    path: str
    rule: str
    reason: str


@dataclass(frozen=True)
class Server:
    """One declared role with the keys of both lifecycles, profiles expanded, variables filled in, resources in order."""

    name: str
    lifecycle: Lifecycle
    hosts: tuple[Host, ...]
    resources: tuple[Resource, ...]
    where: Location
    base: Base | None = None
    mirror: Mirror | None = None
    runtime: str = "bubblewrap"
    replicas: int = 1
    writable: tuple[str, ...] = ()
    allowed_secrets: tuple[AllowedSecret, ...] = ()
    write_once: float = 0.0
    """Seconds, from its bake on, for which nobody may take an image of it away; 0 for none."""
    volumes: Mapping[str, str] = field(default_factory=dict)
    """Path inside -> the name of a volume: state that outlives releases."""
    capabilities: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    health: Health | None = None
    route: Route | None = None
    rollout: Rollout = field(default_factory=Rollout)
    pace: Pace = field(default_factory=Pace)
    hooks: tuple[Hook, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)
    healing: Healing = field(default_factory=Healing)
    contents: Mapping[str, Content] = field(default_factory=dict)
    """Digest -> content, for every digest that a resource names."""
    audit: AuditPolicy = field(default_factory=AuditPolicy)
    responses: tuple[Response, ...] = ()
    """What is done about a finding by itself; where none fits it is told."""
    secrets: Mapping[str, str] = field(default_factory=dict, repr=False)
    """Secret name -> value, for process environments alone; never printed, stored or hashed without a key."""
    apart: Mapping[str, tuple[Resource, ...]] = field(default_factory=dict)
    """Host name -> its resources in order, for each host whose own variables make them differ from `resources`."""
    approvals: Approvals | None = None
    """Who must agree to a plan for it; None where that is as for the whole project."""
    left_out: tuple[Host, ...] = ()
    """Its other hosts, which a command was told to leave as they are."""
    notices: tuple[str, ...] = ()
    """What a reader of the declaration should know, though nothing is wrong: an order that an edge changed."""

    def host(self, name: str) -> Host:
        """The host of this name."""
        return next(host for host in self.hosts if host.name == name)

    @property
    def port(self) -> int:
        """The port that its process listens on; 0 where it has none."""
        ports = [wish.fields.get("port") for wish in self.resources if wish.address.kind == "process" and not wish.absent]
        return next((port for port in ports if isinstance(port, int)), 0)

    def wishes(self, host: Host) -> tuple[Resource, ...]:
        """The resources in order, as they are for this host."""
        return self.apart.get(host.name, self.resources)

    @property
    def digest(self) -> str:
        """The identity of the wishes: equal digests, equal servers."""
        everywhere = [resource.to_json() for resource in self.resources]
        if not self.apart:
            return digest_of(everywhere)
        return digest_of([everywhere, {host: [wish.to_json() for wish in wishes] for host, wishes in self.apart.items()}])

    def resource(self, address: Address) -> Resource | None:
        """The wish with this address."""
        return next((resource for resource in self.resources if resource.address == address), None)


@dataclass(frozen=True)
class Ssh:
    """How hosts are reached by SSH: an absolute path of an ssh_config ("" is the user's own), and sudo's password if it wants one."""

    config: str = ""
    sudo_password: str = field(default="", repr=False)


@dataclass(frozen=True)
class Declaration:
    """Everything wished for in one project."""

    project: str
    folder: str
    servers: tuple[Server, ...]
    routers: tuple[Router, ...] = ()
    ssh: Ssh = field(default_factory=Ssh)
    groups: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Group -> the names of its hosts, those of inner groups included."""
    approvals: Approvals = field(default_factory=Approvals)
    """Who must agree to a plan for a server that says nothing of its own."""
    notices: tuple[Notice, ...] = ()
    schedule: Schedule = field(default_factory=Schedule)
    """Of what is about no one server."""
