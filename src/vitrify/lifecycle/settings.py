"""The run settings of a release: everything about running an image that is not in the image. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from vitrify.core import hook
from vitrify.core.declaration import Health, Limits, Rollout, Route, Server
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSON, JSONObject, digest_of, keyed_digest
from vitrify.core.hook import Hook
from vitrify.core.resource import Resource
from vitrify.core.strategy import Manner
from vitrify.lifecycle.routes import route_from_json, route_to_json

BUBBLEWRAP = "bubblewrap"
"""The runtime of a release that names none."""
SecretValue = Callable[[str], str]


@dataclass(frozen=True)
class RunSettings:
    """What a release was put forward with; kept with it, so that a rollback needs no declaration."""

    argv: tuple[str, ...]
    workdir: str
    user: str
    port: int | None
    env: Mapping[str, str]
    """Values may be `secret:NAME`."""
    secrets: Mapping[str, str]
    """Secret name -> keyed digest: a rotated secret makes a new release."""
    replicas: int
    writable: tuple[str, ...]
    health: Health | None
    route: Route | None
    rollout: Rollout
    runtime: str = BUBBLEWRAP
    volumes: Mapping[str, str] = field(default_factory=dict)
    capabilities: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    hooks: tuple[Hook, ...] = ()

    def environment(self, secret: SecretValue) -> dict[str, str]:
        """The process environment, with secrets filled in."""
        return {name: _SECRET.sub(lambda match: secret(match.group(1)), value) for name, value in self.env.items()}


def known_secrets(values: Mapping[str, str]) -> SecretValue:
    """Gives the values that are declared now; UsageInvalid, naming the secret, where a release needs one that is not."""

    def value(name: str) -> str:
        if name not in values:
            raise UsageInvalid(f"the secret {name!r} is not declared any more", hint="declare it again: the release was made with it")
        return values[name]

    return value


_SECRET = re.compile(r"\Asecret:([A-Za-z0-9_.-]+)\Z")


def secret_names(env: Mapping[str, str]) -> tuple[str, ...]:
    """The secrets that an environment refers to."""
    return tuple(sorted({match.group(1) for value in env.values() for match in [_SECRET.match(value)] if match}))


def settings_of(server: Server, process: JSONObject, *, key: bytes) -> RunSettings:
    """The run settings of what is declared now; `process` is the image's process as `resources.process` gives it."""
    env = {str(name): str(value) for name, value in _mapping(process.get("env")).items()}
    port = process.get("port")
    return RunSettings(
        argv=tuple(str(word) for word in _list(process.get("argv"))),
        workdir=str(process.get("workdir") or "/"),
        user=str(process.get("user") or ""),
        port=port if isinstance(port, int) else None,
        env=env,
        secrets={name: keyed_digest(server.secrets[name].encode(), key=key) for name in secret_names(env)},
        replicas=server.replicas,
        writable=server.writable,
        health=server.health,
        route=server.route,
        rollout=server.rollout,
        runtime=server.runtime,
        volumes={path: _at_home(name, server) for path, name in server.volumes.items()},
        capabilities=server.capabilities,
        limits=server.limits,
        hooks=server.hooks,
    )


def _at_home(volume: str, server: Server) -> str:
    """A folder of the host, as the machine that runs the instances finds it: where the host is a folder, below that."""
    return f"{server.hosts[0].folder.rstrip('/')}{volume}" if volume.startswith("/") and server.hosts else volume


def to_json(settings: RunSettings) -> JSONObject:
    """The form that is kept with the release; holds no secret."""
    return {
        "argv": list(settings.argv),
        "workdir": settings.workdir,
        "user": settings.user,
        "port": settings.port,
        "env": dict(settings.env),
        "secrets": dict(settings.secrets),
        "replicas": settings.replicas,
        "writable": list(settings.writable),
        "health": settings.health.to_json() if settings.health else None,
        "route": route_to_json(settings.route) if settings.route else None,
        "rollout": _rollout_to_json(settings.rollout),
        **_confinement(settings),
    }


def _confinement(settings: RunSettings) -> JSONObject:
    """Only what is said: a release that was put forward before these words were there is the same release."""
    found: JSONObject = {
        "runtime": settings.runtime if settings.runtime != BUBBLEWRAP else "",
        "volumes": dict(settings.volumes),
        "capabilities": list(settings.capabilities),
        "limits": settings.limits.to_json(),
        "hooks": [one.to_json() for one in settings.hooks],
    }
    return {name: value for name, value in found.items() if value}


def from_json(data: JSONObject) -> RunSettings:
    """Read what `to_json` wrote."""
    port, replicas = data.get("port"), data.get("replicas")
    health, route = data.get("health"), data.get("route")
    return RunSettings(
        argv=tuple(str(word) for word in _list(data.get("argv"))),
        workdir=str(data["workdir"]),
        user=str(data["user"]),
        port=port if isinstance(port, int) else None,
        env={name: str(value) for name, value in _mapping(data.get("env")).items()},
        secrets={name: str(value) for name, value in _mapping(data.get("secrets")).items()},
        replicas=replicas if isinstance(replicas, int) else 1,
        writable=tuple(str(path) for path in _list(data.get("writable"))),
        health=_health_from_json(health) if isinstance(health, dict) else None,
        route=route_from_json(route) if isinstance(route, dict) else None,
        rollout=_rollout_from_json(_mapping(data.get("rollout"))),
        runtime=str(data.get("runtime") or BUBBLEWRAP),
        volumes={path: str(name) for path, name in _mapping(data.get("volumes")).items()},
        capabilities=tuple(str(name) for name in _list(data.get("capabilities"))),
        limits=Limits.from_json(_mapping(data.get("limits"))),
        hooks=hook.read(data.get("hooks")),
    )


def declared_digest(resources: tuple[Resource, ...], base: str, settings: RunSettings, *, kinds: JSONObject | None = None) -> str:
    """The identity of what a release is made from: equal digests need no new release. `kinds` are those that are not ours."""
    wishes: list[JSON] = [resource.to_json() for resource in resources]
    return digest_of({"resources": wishes, "base": base, "settings": _identity(settings), **(kinds or {})})


def _identity(settings: RunSettings) -> JSONObject:
    """Without what only tells how to go into service: a longer drain is no reason for a new release."""
    told = replace(settings, route=replace(settings.route, health="")) if settings.route else settings
    return {name: value for name, value in to_json(told).items() if name not in ("rollout", "health", "hooks")}


def _rollout_to_json(rollout: Rollout) -> JSONObject:
    return {
        "strategy": rollout.strategy,
        "drain_ms": round(rollout.drain * 1000),
        "probation_ms": round(rollout.probation * 1000),
        "keep_warm_ms": round(rollout.keep_warm * 1000),
        "retain": rollout.retain,
        **rollout.manner.to_json(),
    }


def _rollout_from_json(data: Mapping[str, JSON]) -> Rollout:
    return Rollout(
        strategy=str(data["strategy"]),
        drain=_seconds(data, "drain_ms"),
        probation=_seconds(data, "probation_ms"),
        keep_warm=_seconds(data, "keep_warm_ms"),
        retain=_whole(data, "retain"),
        manner=Manner.from_json({**data}),
    )


def _health_from_json(data: Mapping[str, JSON]) -> Health:
    tcp = data.get("tcp")
    return Health(
        http=str(data["http"]),
        tcp=tcp if isinstance(tcp, int) else None,
        command=tuple(str(word) for word in _list(data.get("command"))),
        status=_whole(data, "status"),
        passes=_whole(data, "passes"),
        interval=_seconds(data, "interval_ms"),
        timeout=_seconds(data, "timeout_ms"),
        grace=_seconds(data, "grace_ms"),
        body=str(data.get("body") or ""),
        header={name: str(value) for name, value in _mapping(data.get("header")).items()},
        host=str(data.get("host") or ""),
    )


def _whole(data: Mapping[str, JSON], name: str) -> int:
    value = data[name]
    if not isinstance(value, int):
        raise TypeError(f"{name} is not a whole number")
    return value


def _seconds(data: Mapping[str, JSON], name: str) -> float:
    return _whole(data, name) / 1000


def _mapping(value: JSON) -> dict[str, JSON]:
    return value if isinstance(value, dict) else {}


def _list(value: JSON) -> list[JSON]:
    return value if isinstance(value, list) else []
