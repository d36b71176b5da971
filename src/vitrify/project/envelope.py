"""Everything in a declaration but the resources: which keys there are, what they hold, and what is wrong with them.

The models are the one list of keys: the reference page is checked against them, and so is every declaration.
"""

from __future__ import annotations

from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import ErrorDetails

from vitrify.core.batch import ALL, Share
from vitrify.core.diagnostic import Location
from vitrify.core.schema import near
from vitrify.project.node import Node, plain, spoken, walk
from vitrify.project.problems import Problems
from vitrify.project.secrets import reference
from vitrify.project.values import (
    BaseName,
    Capability,
    Duration,
    Given,
    HostName,
    HostShare,
    Listen,
    MemorySize,
    ProcessorShare,
    RawList,
    RawMap,
    Reach,
    UrlPath,
    VolumeName,
    Word,
    Writable,
    one_of,
    refuse,
)

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


REFUSE = "refuse"
"""The word of `on_image` by which nothing is dropped silently."""


class Part(BaseModel):
    """A map whose keys are all known."""

    model_config = ConfigDict(extra="forbid", defer_build=True, strict=True, frozen=True, hide_input_in_errors=True)


def _first_version(value: int) -> int:
    if value != 1:
        refuse(f"this version of vitrify reads `version: 1`, not {value}")
    return value


class Top(Part):
    """The declaration itself."""

    version: Annotated[int, AfterValidator(_first_version)] = Field(description="`version: 1` is the only one there is")
    project: Name = Field(description="a name for the project, as in `project: shop`")
    vars: RawMap = None
    environments: RawMap = None
    groups: RawMap = None
    profiles: RawMap = None
    routers: RawMap = None
    servers: RawMap = Field(description="at least one server, as in `servers: {web: {…}}`")
    secrets: RawMap = None
    ssh: RawMap = None


def _secret_name(value: str | None) -> str | None:
    if value is not None and reference(value) is None:
        refuse("a password has no place in a declaration", "`sudo_password: secret:NAME`, and NAME among the `secrets`")
    return value


class SshPart(Part):
    """How hosts are reached by SSH."""

    config: Annotated[str | None, Given] = Field(default=None, min_length=1, description="an ssh_config that takes the place of the user's")
    sudo_password: Annotated[str | None, Given, AfterValidator(_secret_name)] = Field(
        default=None, description="`secret:NAME`: what sudo asks for on the hosts"
    )


def _named_secret(value: str) -> str:
    name = reference(value)
    if name is None:
        refuse("what opens a secret is a secret itself", "declare it beside this one, and write `secret:NAME`")
    return name


NamedSecret = Annotated[str, AfterValidator(_named_secret)]


class AgePart(Part):
    """A file encrypted with age."""

    file: str = Field(min_length=1, description="the encrypted file, as in `file: secrets/db.age`")
    identity: Annotated[NamedSecret | None, Given] = None
    passphrase: Annotated[NamedSecret | None, Given] = None

    @model_validator(mode="after")
    def _one(self) -> AgePart:
        if (self.identity is None) == (self.passphrase is None):
            refuse("age opens a file in one way", "`identity: secret:NAME`, or `passphrase: secret:NAME`")
        return self


class SopsPart(Part):
    """A file encrypted with sops."""

    file: str = Field(min_length=1, description="the encrypted file, as in `file: secrets.yaml`")
    key: Annotated[str | None, Given] = Field(default=None, min_length=1)


class AnsibleVaultPart(Part):
    """A file closed by `ansible-vault`, or one that holds closed values."""

    file: str = Field(min_length=1, description="the file, as in `file: group_vars/all/vault.yml`")
    password: NamedSecret = Field(description="the secret that opens it, as in `password: secret:vault_password`")
    key: Annotated[str | None, Given] = Field(default=None, min_length=1)


class SecretPart(Part):
    """Where a secret comes from: one of these places."""

    env: Annotated[str | None, Given] = Field(default=None, pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    file: Annotated[str | None, Given] = Field(default=None, min_length=1)
    exec: Annotated[list[str] | None, Given] = Field(default=None, min_length=1)
    age: Annotated[AgePart | None, Given] = None
    sops: Annotated[SopsPart | None, Given] = None
    ansible_vault: Annotated[AnsibleVaultPart | None, Given] = None

    @model_validator(mode="after")
    def _one(self) -> SecretPart:
        if len(self.model_fields_set) != 1:
            refuse("a secret comes from one place", "`env: VARIABLE`, `file: PATH`, or one of exec, age, sops, ansible_vault")
        return self


class ParameterPart(Part):
    """One parameter of a profile; without a default it must be given, unless it says `required: false`."""

    type: Annotated[str, one_of("text", "integer", "boolean", "list", "map")] = Field(description="text, integer, boolean, list or map")
    default: Any = None
    required: bool | None = None
    choices: Annotated[list[Any] | None, Given] = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _missing_or_not(self) -> ParameterPart:
        if self.required and "default" in self.model_fields_set:
            refuse("a parameter that has a default need not be given", "take out `required: true`, or the default")
        return self


class ProfilePart(Part):
    """A named list of resources."""

    parameters: RawMap = None
    resources: RawList = Field(description="what the profile stands for: a list of resources")


class RouterPart(Part):
    """A traffic switch."""

    kind: Annotated[str, one_of("caddy")] = Field(description="`kind: caddy`")
    listen: Listen = Field(description='where it listens, as in `listen: "127.0.0.1:8080"`')
    tls: Annotated[str, one_of("off", hint="this version serves plain HTTP: write `tls: off`")] = "off"


def _spelt_out(value: Any) -> Any:  # noqa: ANN401  what stands in a file can be anything
    return {"at": value} if isinstance(value, str) else value


class HostPart(Part):
    """Where a server lives; a text alone is its `at`."""

    at: Reach = Field(description="`local`, `ssh://user@name:port`, or `root:DIR`")
    vars: RawMap = None


class GroupPart(Part):
    """A named list of hosts and of groups of hosts."""

    hosts: list[Annotated[HostPart, BeforeValidator(_spelt_out)]] = Field(description="who belongs to it, as in `hosts: [local]`")
    vars: RawMap = None


class EnvironmentPart(Part):
    """Variables that hold where the command line names the environment."""

    vars: RawMap = None


class HealthPart(Part):
    """How to tell that an instance serves."""

    http: Annotated[UrlPath | None, Given] = None
    tcp: Annotated[int | None, Given] = Field(default=None, ge=0, le=65535)
    command: Annotated[list[str] | None, Given] = Field(default=None, min_length=1)
    status: int = Field(default=200, ge=100, le=599)
    passes: int = Field(default=2, ge=1, le=100)
    interval: Duration = 0.2
    timeout: Duration = 2.0
    grace: Duration = 30.0
    port: Annotated[int | None, Given] = Field(default=None, ge=1, le=65535)

    @model_validator(mode="after")
    def _one(self) -> HealthPart:
        if sum(way is not None for way in (self.http, self.tcp, self.command)) != 1:
            refuse("health is asked in one way: `http`, `tcp` or `command`", "as in `health: {http: /healthz}`")
        return self


class RoutePart(Part):
    """What traffic reaches the server."""

    router: str = Field(description="the name of one of the `routers`")
    host: Annotated[HostName | None, Given] = None
    path: UrlPath = "/"


class RolloutPart(Part):
    """How a release goes into service."""

    strategy: Annotated[str, one_of("blue-green")] = "blue-green"
    drain: Duration = 30.0
    probation: Duration = 0.0
    keep_warm: Duration = 600.0
    retain: int = Field(default=5, ge=1, le=1000)


class MirrorPart(Part):
    """Where the packages of a base come from."""

    uris: list[Word] = Field(min_length=1, description="the addresses that it is had from, as in `uris: [http://…/debian]`")
    suites: list[Word] = Field(default_factory=list)
    components: list[Word] = Field(default_factory=lambda: ["main"], min_length=1)
    keyring: Annotated[str | None, Given] = None


class LimitsPart(Part):
    """What one instance may use."""

    memory: Annotated[MemorySize | None, Given] = None
    cpu: Annotated[ProcessorShare | None, Given] = None
    pids: Annotated[int | None, Given] = Field(default=None, ge=1, le=4_000_000)


class AllowedSecretPart(Part):
    """A file of an image that looks as if it held a secret, and may be in it all the same."""

    path: Writable = Field(description="the file's path in the image, as in `path: /srv/app/tests/key.pem`")
    rule: str = Field(min_length=1, description="the rule that refused it, as in `rule: private key`")
    reason: str = Field(min_length=1, description="why it may be in an image, as in `reason: a key of the tests`")


class ServerPart(Part):
    """One server, with the keys of both lifecycles."""

    lifecycle: Annotated[str, one_of("mutable", "immutable")] = Field(description="`lifecycle: mutable` or `lifecycle: immutable`")
    hosts: list[Annotated[HostPart, BeforeValidator(_spelt_out)]] = Field(
        min_length=1, description="where it lives, as in `hosts: [local]`"
    )
    resources: RawList = Field(description="what it should be: a list of resources")
    base: Annotated[BaseName | None, Given] = None
    mirror: Annotated[MirrorPart | None, Given] = None
    on_image: Annotated[str, one_of("drop", REFUSE)] = "drop"
    runtime: Annotated[str, one_of("bubblewrap", "podman")] = "bubblewrap"
    replicas: int = Field(default=1, ge=1, le=20)
    writable: list[Writable] = Field(default_factory=list)
    allow_secrets: list[AllowedSecretPart] = Field(default_factory=list)
    volumes: dict[Writable, VolumeName] = Field(default_factory=dict)
    capabilities: list[Capability] = Field(default_factory=list)
    limits: LimitsPart = Field(default_factory=LimitsPart)
    health: Annotated[HealthPart | None, Given] = None
    route: Annotated[RoutePart | None, Given] = None
    rollout: RolloutPart = Field(default_factory=RolloutPart)
    batch: list[HostShare] = Field(default_factory=lambda: [ALL], min_length=1)
    max_fail: HostShare = Share(0)
    vars: RawMap = None


_RAW = frozenset({"vars", "environments", "groups", "profiles", "routers", "servers", "secrets", "ssh", "parameters", "resources"})
P = TypeVar("P", bound=Part)


def read(part: type[P], node: Node, *, owner: Location, problems: Problems) -> P | None:
    """The part, or None where something is wrong with it, each thing noted where it stands.

    `owner` is where the part's own key was written: the place of what is missing.
    """
    if not isinstance(node.value, dict):
        if not problems.told(node.at):
            problems.add(f"expected a map, not {spoken(node)}", node.at)
        return None
    try:
        return part.model_validate({key: _given_to(key, entry.node) for key, entry in node.entries.items()})
    except ValidationError as invalid:
        for error in invalid.errors(include_url=False, include_input=False):
            _note(part, error, node, owner, problems)
    return None


def _given_to(key: str, node: Node) -> Any:  # noqa: ANN401  a value as it was written, or the node where it is read elsewhere
    if key in _RAW:
        return node
    if key == "hosts":
        return [{name: _given_to(name, part.node) for name, part in item.entries.items()} or plain(item) for item in node.items] or plain(
            node
        )
    return plain(node)


def _note(part: type[Part], error: ErrorDetails, node: Node, owner: Location, problems: Problems) -> None:
    loc = tuple(error["loc"])
    name = str(loc[-1]) if loc else ""
    model = _model_at(part, loc[:-1])
    if error["type"] == "missing":
        at = walk(node, loc[:-1], key=True, owner=owner)
        known = model.model_fields[name].description if model else ""
        problems.add(f"the key `{name}` is missing", at, hint=known or "")
        return
    if error["type"] == "extra_forbidden":
        keys = list(model.model_fields) if model else []
        at = walk(node, loc, key=True, owner=owner)
        problems.add(f"there is no key `{name}`", at, hint=near(name, keys) or f"keys here: {', '.join(keys)}")
        return
    at = walk(node, loc, owner=owner, key=error["type"] == "vitrify" and not loc)
    if not problems.told(at):
        summary, hint = _sentence(error, _value_at(node, loc))
        problems.add(summary, at, hint=hint)


def _model_at(part: type[Part], path: tuple[int | str, ...]) -> type[Part] | None:
    inner: dict[str, type[Part]] = {
        "health": HealthPart,
        "route": RoutePart,
        "rollout": RolloutPart,
        "hosts": HostPart,
        "limits": LimitsPart,
        "mirror": MirrorPart,
    }
    inner |= {"age": AgePart, "sops": SopsPart, "ansible_vault": AnsibleVaultPart}
    return inner.get(str(path[0])) if path else part


def _value_at(node: Node, path: tuple[int | str, ...]) -> Node:
    for step in path:
        entry = node.entries.get(str(step))
        if entry:
            node = entry.node
        elif isinstance(step, int) and step < len(node.items):
            node = node.items[step]
    return node


_EXPECTED = {
    "string_type": "text",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "list_type": "a list",
    "dict_type": "a map",
    "model_type": "a map",
    "model_attributes_type": "a map",
}


def _sentence(error: ErrorDetails, value: Node) -> tuple[str, str]:
    """What is wrong with a value, and what to do: never pydantic's own words."""
    context = error.get("ctx", {})
    if error["type"] == "vitrify":
        return str(context["summary"]), str(context["hint"])
    if error["type"] in _EXPECTED:
        hint = "put it in quotes" if error["type"] == "string_type" and not isinstance(value.value, (dict, tuple)) else ""
        return f"expected {_EXPECTED[error['type']]}, not {spoken(value)}", hint
    if error["type"] == "greater_than_equal":
        return f"{value.value} is too small", f"at least {context['ge']}"
    if error["type"] == "less_than_equal":
        return f"{value.value} is too large", f"at most {context['le']}"
    if error["type"] in ("too_short", "string_too_short"):
        return "nothing is written here", "give at least one"
    return f"{value.value!r} is not a name", "letters, digits, `_` and `-`, beginning with a letter"
