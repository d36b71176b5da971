"""Runs instances under bubblewrap on the host of a session; the work itself is done there, by the payload."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import TargetFailed
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.event import Emit, silence
from vitrify.ports import Carrier, Instance, InstanceSpec, Session
from vitrify.project.tools import bubblewrap_here


@dataclass(frozen=True)
class BubblewrapRuntime:
    """A `Runtime`. `home` is the folder on the target that holds its instances, images and routers.

    `bwrap` tells the program's path when something is launched, and not before: most calls need none.
    """

    session: Session
    home: str
    images: Carrier
    bwrap: Callable[[], Awaitable[str]] = bubblewrap_here
    emit: Emit = silence

    async def launch(self, spec: InstanceSpec) -> Instance:
        """Start this instance, or adopt the one of the same id."""
        wish: JSONObject = {
            "id": spec.id,
            "image": spec.image,
            "argv": list(spec.argv),
            "labels": dict(spec.labels),
            "environment": dict(spec.environment),
            "workdir": spec.workdir,
            "user": spec.user,
            "writable": list(spec.writable),
            "port": spec.port,
        }
        layout = await self.images.bring(spec.image, emit=self.emit)
        return _instance(await self._call("launch", spec=wish, layout=layout, bwrap=await self.bwrap()))

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

    async def discard(self, instance: str) -> None:
        """Remove a stopped instance and its files."""
        await self._call("discard", id=instance)

    async def logs(self, instance: str, *, lines: int) -> str:
        """The last lines it wrote."""
        return str((await self._call("logs", id=instance, lines=lines))["text"])

    async def altered(self, instance: str) -> tuple[JSONObject, ...]:
        """Every difference between its root and its image."""
        return _objects((await self._call("altered", id=instance))["altered"])

    async def _call(self, name: str, **arguments: JSON) -> JSONObject:
        return await self.session.call(f"instance.{name}", {"home": self.home, **arguments}, emit=self.emit)


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
    )


def _number(value: JSON) -> float:
    return float(value) if isinstance(value, (int, float)) else 0.0
