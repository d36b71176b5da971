"""The keys by which a server serves: its router and route, its health, and how a release of it goes into service."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, Field, model_validator

from vitrify.core.batch import Share
from vitrify.core.strategy import BLUE_GREEN, STRATEGIES
from vitrify.project.hooks import MigrationPart
from vitrify.project.manner import InstanceShare, Percentage, Preview, WeightText, refuse_unordered
from vitrify.project.part import Part
from vitrify.project.secrets import reference
from vitrify.project.values import Duration, Given, HostName, Listen, UrlPath, one_of, refuse


def _key_name(value: str) -> str:
    name = reference(value)
    if name is None:
        refuse("a private key has no place in a declaration", "`key: secret:NAME`, and NAME among the `secrets`")
    return name


class RouterPart(Part):
    """A traffic switch."""

    kind: Annotated[str, one_of("caddy", "haproxy")] = Field(description="`kind: caddy` or `kind: haproxy`")
    listen: Listen = Field(description='where it listens, as in `listen: "127.0.0.1:8080"`')
    tls: Annotated[str | None, Given, one_of("off", "automatic", "internal")] = None
    certificate: Annotated[str | None, Given] = Field(default=None, min_length=1)
    key: Annotated[str | None, Given, AfterValidator(_key_name)] = None
    authority: Annotated[str | None, Given] = Field(default=None, pattern=r"^https://[!-~]+$")
    roots: Annotated[str | None, Given] = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _agrees(self) -> RouterPart:
        if (self.certificate is None) != (self.key is None):
            refuse("a certificate has a key, and a key a certificate", "`certificate: FILE` and `key: secret:NAME`")
        if self.certificate and self.tls:
            refuse("a router that is given a certificate gets none elsewhere", "take out `tls`")
        if (self.authority or self.roots) and self.tls != "automatic":
            refuse("an authority is asked only for `tls: automatic`", "add it, or take out `authority` and `roots`")
        if self.kind == "haproxy" and self.tls not in (None, "off"):
            refuse("HAProxy fetches no certificates", "`certificate: FILE` and `key: secret:NAME`, or `kind: caddy`")
        return self


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
    body: Annotated[str | None, Given] = Field(default=None, min_length=1)
    header: dict[str, str] = Field(default_factory=dict)
    host: Annotated[HostName | None, Given] = None

    @model_validator(mode="after")
    def _one(self) -> HealthPart:
        if sum(way is not None for way in (self.http, self.tcp, self.command)) != 1:
            refuse("health is asked in one way: `http`, `tcp` or `command`", "as in `health: {http: /healthz}`")
        told = next((key for key in ("body", "header", "host") if key in self.model_fields_set), "")
        if told and self.http is None:
            refuse(f"`{told}` is about an answer over HTTP", "it has a meaning beside `http` alone")
        return self


class StickyPart(Part):
    """How a visitor is known again."""

    cookie: Annotated[str | None, Given] = Field(default=None, pattern=r"^[A-Za-z0-9_-]{1,64}$")
    header: Annotated[str | None, Given] = Field(default=None, pattern=r"^[A-Za-z0-9-]{1,64}$")

    @model_validator(mode="after")
    def _one(self) -> StickyPart:
        if (self.cookie is None) == (self.header is None):
            refuse("a visitor is known again in one way", "`cookie: NAME`, or `header: NAME`")
        return self


class RoutePart(Part):
    """What traffic reaches the server."""

    router: str = Field(description="the name of one of the `routers`")
    host: Annotated[HostName | None, Given] = None
    path: UrlPath = "/"
    sticky: Annotated[StickyPart | None, Given] = None
    maintenance: Annotated[str | None, Given] = Field(default=None, min_length=1)
    websockets: Annotated[str, one_of("drain", "close")] = "drain"


class GatePart(Part):
    """What the answers of a canary must be like, by what the router counts of them."""

    errors: Annotated[Percentage | None, Given] = None
    p95: Annotated[Duration | None, Given] = None
    requests: int = Field(default=20, ge=1, le=1_000_000)
    command: Annotated[list[str] | None, Given] = Field(default=None, min_length=1)

    @model_validator(mode="after")
    def _something(self) -> GatePart:
        if self.errors is None and self.p95 is None and self.command is None:
            refuse("a gate that asks nothing lets everything through", "as in `gate: {errors: 1%, p95: 500ms}`")
        return self


class RolloutPart(Part):
    """How a release goes into service."""

    strategy: Annotated[str, one_of(*STRATEGIES)] = BLUE_GREEN
    drain: Duration = 30.0
    probation: Duration = 0.0
    keep_warm: Duration = 600.0
    retain: int = Field(default=5, ge=1, le=1000)
    promote: Annotated[str, one_of("automatic", "manual")] = "automatic"
    preview: Annotated[Preview | None, Given] = None
    steps: Annotated[list[WeightText] | None, Given] = Field(default=None, min_length=1)
    gate: Annotated[GatePart | None, Given] = None
    max_surge: InstanceShare = Share(1)
    max_unavailable: InstanceShare = Share(0)
    pause: Duration = 30.0
    expand: list[MigrationPart] = Field(default_factory=list)
    contract: list[MigrationPart] = Field(default_factory=list)

    @model_validator(mode="after")
    def _growing(self) -> RolloutPart:
        refuse_unordered(self.steps or ())
        return self
