"""Everything in a declaration but the resources: which keys there are, what they hold, and what is wrong with them.

The models are the one list of keys: the reference page is checked against them, and so is every declaration.
"""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field, model_validator

from vitrify.core.batch import ALL, Share
from vitrify.project.healing import HealPart
from vitrify.project.lasting import Lasting
from vitrify.project.part import Part
from vitrify.project.policy import PolicyPart
from vitrify.project.responding import ResponsePart
from vitrify.project.secrets import reference
from vitrify.project.serving import HealthPart, RolloutPart, RoutePart
from vitrify.project.supervision import SchedulePart
from vitrify.project.values import (
    BaseName,
    Capability,
    Given,
    HostShare,
    MemorySize,
    ProcessorShare,
    RawList,
    RawMap,
    Reach,
    VolumeName,
    Word,
    Writable,
    one_of,
    refuse,
)
from vitrify.project.watching import AuditPart

Name = Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_-]{0,62}$")]


REFUSE = "refuse"
"""The word of `on_image` by which nothing is dropped silently."""


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
    policy: Annotated[PolicyPart | None, Given] = None
    hooks: RawList = None
    notices: RawList = None
    schedule: Any = None


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
    audit: AuditPart = Field(default_factory=AuditPart)
    respond: list[ResponsePart] = Field(default_factory=list)
    on_image: Annotated[str, one_of("drop", REFUSE)] = "drop"
    runtime: Annotated[str, one_of("bubblewrap", "podman")] = "bubblewrap"
    replicas: int = Field(default=1, ge=1, le=20)
    writable: list[Writable] = Field(default_factory=list)
    allow_secrets: list[AllowedSecretPart] = Field(default_factory=list)
    write_once: Lasting = 0.0
    volumes: dict[Writable, VolumeName] = Field(default_factory=dict)
    capabilities: list[Capability] = Field(default_factory=list)
    limits: LimitsPart = Field(default_factory=LimitsPart)
    health: Annotated[HealthPart | None, Given] = None
    heal: HealPart = Field(default_factory=HealPart)
    route: Annotated[RoutePart | None, Given] = None
    rollout: RolloutPart = Field(default_factory=RolloutPart)
    batch: list[HostShare] = Field(default_factory=lambda: [ALL], min_length=1)
    max_fail: HostShare = Share(0)
    policy: Annotated[PolicyPart | None, Given] = None
    hooks: RawList = None
    schedule: SchedulePart = Field(default_factory=SchedulePart)
    vars: RawMap = None
