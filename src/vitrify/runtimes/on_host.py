"""Instances on the host of a session; the work itself is done there, by the payload, whichever runtime it is."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import TargetFailed, UsageInvalid
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, silence
from vitrify.core.instance import Instance, InstanceSpec
from vitrify.ports import Carrier, Session

Means = Callable[[], Awaitable[JSONObject]]
"""What one runtime needs to be told when something is launched; asked then, and not before."""


@dataclass(frozen=True)
class OnHostRuntime:
    """A `Runtime`. `home` is the folder on the target that holds its instances, images and routers.

    `means` are the runtimes that there are, by name. Only a launch says which one it wants: an instance's folder knows its own.
    """

    session: Session
    home: str
    images: Carrier
    means: Mapping[str, Means]
    emit: Emit = silence
    lasting: bool = False
    """Whether what runs is to run again after a reboot of the target, where systemd can see to that."""

    async def launch(self, spec: InstanceSpec) -> Instance:
        """Start this instance, or adopt the one of the same id."""
        if spec.runtime not in self.means:
            raise UsageInvalid(f"there is no runtime {spec.runtime!r}", hint=f"known are {', '.join(self.means)}")
        layout = await self.images.bring(spec.image, emit=self.emit)
        means = await self.means[spec.runtime]()
        return _instance(await self._call("launch", spec=_wish(spec), layout=layout, lasting=self.lasting, **means))

    async def instances(self, labels: Mapping[str, str]) -> tuple[Instance, ...]:
        """All instances that carry these labels; oldest first."""
        found = (await self._call("list", labels=dict(labels)))["instances"]
        return tuple(_instance(one) for one in _objects(found))

    async def healthy(self, instance: str, health: Health) -> str:
        """One look: "" where the instance passes."""
        return str((await self._call("healthy", id=instance, health=health.to_json()))["reason"])

    async def stop(self, instance: str, *, grace: float) -> None:
        """Ask it to end, and after `grace` seconds make it."""
        await self._call("stop", id=instance, grace=grace)

    async def stop_later(self, instance: str, *, at: float | None) -> None:
        """Let its shim stop it at this time, or never."""
        await self._call("stop_later", id=instance, at=at)

    async def discard(self, instance: str, *, evidence: bool = False) -> None:
        """Remove a stopped instance and its files."""
        await self._call("discard", id=instance, evidence=evidence)

    async def quarantine(self, instance: str, *, by: str, why: str, entry: int) -> None:
        """Keep a stopped instance as evidence."""
        await self._call("quarantine", id=instance, by=by, why=why, entry=entry)

    async def quarantined(self, labels: Mapping[str, str]) -> tuple[JSONObject, ...]:
        """Those that are kept as that."""
        return _objects((await self._call("list", labels=dict(labels), evidence=True))["instances"])

    async def logs(self, instance: str, *, lines: int) -> str:
        """The last lines it wrote."""
        return str((await self._call("logs", id=instance, lines=lines))["text"])

    async def altered(self, instance: str) -> tuple[JSONObject, ...]:
        """Every difference between its root and its image."""
        return _objects((await self._call("altered", id=instance))["altered"])

    async def mark(self, instance: str, *, by: str, reason: str, entry: int) -> None:
        """Note that somebody enters it."""
        await self._call("mark", id=instance, by=by, reason=reason, entry=entry)

    async def entrance(self, instance: str, argv: Sequence[str], *, terminal: bool) -> tuple[str, ...]:
        """What, run on the target, runs `argv` inside."""
        words = (await self._call("entrance", id=instance, argv=list(argv), terminal=terminal))["argv"]
        return tuple(str(word) for word in words) if isinstance(words, list) else ()

    async def _call(self, name: str, **arguments: JSON) -> JSONObject:
        return await self.session.call(f"instance.{name}", {"home": self.home, **arguments}, emit=self.emit)


def _wish(spec: InstanceSpec) -> JSONObject:
    return {
        "id": spec.id,
        "image": spec.image,
        "runtime": spec.runtime,
        "argv": list(spec.argv),
        "labels": dict(spec.labels),
        "environment": dict(spec.environment),
        "secrets": list(spec.secrets),
        "workdir": spec.workdir,
        "user": spec.user,
        "writable": list(spec.writable),
        "volumes": dict(spec.volumes),
        "capabilities": list(spec.capabilities),
        "limits": spec.limits.to_json(),
        "port": spec.port,
    }


def _objects(value: JSON) -> tuple[JSONObject, ...]:
    if not isinstance(value, list):
        raise TargetFailed("the host sent something that is not a list")
    return tuple(one for one in value if isinstance(one, dict))


def _instance(data: JSONObject) -> Instance:
    labels, port, code, at = data["labels"], data["port"], data["exit_code"], data["stop_at"]
    return Instance(
        id=str(data["id"]),
        image=str(data["image"]),
        state=str(data["state"]),
        port=port if isinstance(port, int) else None,
        labels={name: str(value) for name, value in labels.items()} if isinstance(labels, dict) else {},
        started_at=_number(data["started_at"]),
        restarts=int(_number(data["restarts"])),
        exit_code=code if isinstance(code, int) else None,
        stop_at=None if at is None else _number(at),
        entered=str(data.get("entered") or ""),
    )


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
