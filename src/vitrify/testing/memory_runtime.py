"""A `Runtime` in memory, for the stories' tests: instances that run, end, fall ill and are altered when the test says so."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from vitrify.core.declaration import Health
from vitrify.core.diagnostic import Denied, TargetFailed
from vitrify.core.digest import JSONObject
from vitrify.core.instance import Instance, InstanceSpec

FIRST_PORT = 20000


@dataclass
class _Kept:
    """One instance and what a test did to it."""

    spec: InstanceSpec
    instance: Instance
    lines: list[str] = field(default_factory=list)
    ill: str = ""
    altered: list[JSONObject] = field(default_factory=list)


class MemoryRuntime:
    """Starts at once. `broken` are programs (`argv[0]`) that cannot be started, `searching` tell what they may write to.

    `ill` are images whose next instances never pass.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        *,
        broken: tuple[str, ...] = (),
        searching: tuple[str, ...] = (),
        ill: Mapping[str, str] | None = None,
    ) -> None:
        self._clock, self._broken, self._searching, self.ill = clock, broken, searching, dict(ill or {})
        self._kept: dict[str, _Kept] = {}
        self._evidence: dict[str, JSONObject] = {}
        self.dies_before_start: BaseException | None = None
        self.refused: dict[str, str] = {}
        """What a check asks with, a program or a host name -> why it does not pass."""
        self._ports = FIRST_PORT

    async def launch(self, spec: InstanceSpec) -> Instance:
        """Start this instance, or adopt the one of the same id."""
        if spec.id in self._evidence:
            raise Denied(f"the instance {spec.id} is in quarantine", hint="it never runs again")
        known = self._kept.get(spec.id)
        if known is not None and known.spec != spec:
            raise Denied(f"there is an instance {spec.id} with another spec", hint="give the new one its own id")
        if known is None:
            port = None
            if spec.port is not None:
                self._ports += 1
                port = self._ports
            blank = Instance(spec.id, spec.image, "stopped", port, dict(spec.labels))
            known = self._kept[spec.id] = _Kept(spec, blank, ill=self.ill.get(spec.image, ""))
        if self.dies_before_start:
            raise self.dies_before_start
        if self._seen(spec.id).state in ("stopped", "lost"):
            self._start(known)
        return known.instance

    def _start(self, kept: _Kept) -> None:
        kept.lines.append(f"{kept.spec.id} started")
        if kept.spec.argv[0] in self._searching:
            kept.lines += [*(f"could write {path}" for path in (*kept.spec.writable, *kept.spec.volumes)), "looked"]
        if kept.spec.argv[0] in self._broken:
            kept.instance = replace(kept.instance, state="restarting", restarts=1, exit_code=127, stop_at=None)
        else:
            now = self._clock()
            kept.instance = replace(kept.instance, state="running", started_at=now, restarts=0, exit_code=None, stop_at=None)

    async def instances(self, labels: Mapping[str, str]) -> tuple[Instance, ...]:
        """All instances that carry these labels; oldest first."""
        found = [self._seen(identity) for identity in self._kept]
        return tuple(instance for instance in found if labels.items() <= instance.labels.items())

    async def healthy(self, instance: str, health: Health) -> str:
        """One look."""
        seen = self._seen(instance)
        if seen.state != "running":
            return f"it is {seen.state}"
        if health.command:
            return self.refused.get(health.command[0], "")
        return self._known(instance).ill or self.refused.get(health.host, "")

    async def stop(self, instance: str, *, grace: float) -> None:
        """End it."""
        self._end(self._known(instance))

    async def stop_later(self, instance: str, *, at: float | None) -> None:
        """End it at this time, or never."""
        kept = self._known(instance)
        kept.instance = replace(self._seen(instance), stop_at=at)

    async def discard(self, instance: str, *, evidence: bool = False) -> None:
        """Remove a stopped instance."""
        if evidence:
            self._evidence.pop(instance, None)
        if instance not in self._kept:
            return
        if self._seen(instance).state not in ("stopped", "lost"):
            raise Denied(f"the instance {instance} still runs", hint="stop it first")
        del self._kept[instance]

    async def quarantine(self, instance: str, *, by: str, why: str, entry: int) -> None:
        """Keep a stopped instance as evidence."""
        if instance in self._evidence:
            return
        seen = self._seen(instance)
        if seen.state not in ("stopped", "lost"):
            raise Denied(f"the instance {instance} still runs", hint="stop it first")
        about: JSONObject = {"id": instance, "image": seen.image, "labels": dict(seen.labels), "at": round(self._clock())}
        self._evidence[instance] = {**about, "by": by, "why": why, "entry": entry}
        del self._kept[instance]

    async def quarantined(self, labels: Mapping[str, str]) -> tuple[JSONObject, ...]:
        """Those that are kept as that."""
        every = self._evidence.values()
        return tuple(one for one in every if isinstance(own := one["labels"], dict) and labels.items() <= own.items())

    async def logs(self, instance: str, *, lines: int) -> str:
        """The last lines it wrote."""
        return "".join(f"{line}\n" for line in self._known(instance).lines[-lines:])

    async def altered(self, instance: str) -> tuple[JSONObject, ...]:
        """What the test altered."""
        return tuple(self._known(instance).altered)

    async def mark(self, instance: str, *, by: str, reason: str, entry: int) -> None:
        """Note that somebody enters it."""
        kept = self._known(instance)
        if not kept.instance.entered:
            told = f"entered by {by}: {reason}"
            kept.instance = replace(kept.instance, entered=told)
            kept.altered.insert(0, {"path": f"instance:{instance}", "change": "entered", "details": [told], "owner": by, "entry": entry})

    async def entrance(self, instance: str, argv: Sequence[str], *, terminal: bool) -> tuple[str, ...]:
        """Words that only this twin understands."""
        if self._seen(instance).state != "running":
            raise TargetFailed(f"nobody can enter {instance}: it is {self._seen(instance).state}")
        return ("inside", instance, *argv)

    def crash(self, instance: str) -> None:
        """Its process dies and is started again."""
        kept = self._known(instance)
        restarts = kept.instance.restarts + 1
        kept.instance = replace(kept.instance, restarts=restarts, exit_code=-9, started_at=self._clock())

    def lose(self, instance: str) -> None:
        """The machine goes down under it."""
        kept = self._known(instance)
        kept.instance = replace(kept.instance, state="lost")

    def fall_ill(self, instance: str, *, reason: str) -> None:
        """From now on it fails its health checks; "" makes it well."""
        self._known(instance).ill = reason

    def alter(self, instance: str, path: str) -> None:
        """Somebody adds a file to its root."""
        self._known(instance).altered.append({"path": path, "change": "added", "details": ["file 0644 root:root"]})

    def write(self, instance: str, line: str) -> None:
        """It writes a line to its log."""
        self._known(instance).lines.append(line)

    def _known(self, instance: str) -> _Kept:
        if instance not in self._kept:
            raise TargetFailed(f"there is no instance {instance}")
        return self._kept[instance]

    def _seen(self, instance: str) -> Instance:
        kept = self._known(instance)
        at = kept.instance.stop_at
        if at is not None and self._clock() >= at:
            self._end(kept)
        return kept.instance

    def _end(self, kept: _Kept) -> None:
        if kept.instance.state != "stopped":
            kept.instance = replace(kept.instance, state="stopped", exit_code=143)
