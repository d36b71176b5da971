"""The keys by which a server serves: its router and route, its health, and how a release of it goes into service."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from vitrify.project.hooks import MigrationPart
from vitrify.project.part import Part
from vitrify.project.values import Duration, Given, HostName, Listen, UrlPath, one_of, refuse


class RouterPart(Part):
    """A traffic switch."""

    kind: Annotated[str, one_of("caddy")] = Field(description="`kind: caddy`")
    listen: Listen = Field(description='where it listens, as in `listen: "127.0.0.1:8080"`')
    tls: Annotated[str, one_of("off", hint="this version serves plain HTTP: write `tls: off`")] = "off"


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
    expand: list[MigrationPart] = Field(default_factory=list)
    contract: list[MigrationPart] = Field(default_factory=list)
