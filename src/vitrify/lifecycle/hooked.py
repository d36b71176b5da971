"""Hooks around what is done in place on one host: an apply, or an undo, whose outcome the ledger knows by the run's name."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from vitrify.core.declaration import Host, Server
from vitrify.core.digest import JSONObject
from vitrify.core.hook import CONTROL, Hook
from vitrify.lifecycle import hooks, record
from vitrify.lifecycle.settings import known_secrets
from vitrify.lifecycle.world import World


def there(found: Iterable[Hook]) -> bool:
    """Whether any of these hooks runs on the host that is changed."""
    return any(hook.on != CONTROL for hook in found)


@dataclass(frozen=True)
class InPlace:
    """One apply or undo of one host. `told` is the body of its entries, `since` the first that can be about it."""

    server: Server
    host: Host
    world: World
    told: JSONObject
    since: int
    idle: bool = False
    """Whether there is nothing to do, and so nothing for hooks to be about."""

    def _course(self, kind: str) -> hooks.Course:
        return hooks.Course(
            self.world,
            () if self.idle else self.server.hooks,
            kind=kind,
            operation=str(self.told["operation"]),
            server=self.server.name,
            host=self.host,
            since=self.since,
            secret=known_secrets(self.server.secrets),
            about={name: self.told[name] for name in ("changes", "run") if name in self.told},
        )

    async def before(self, kind: str) -> None:
        """The hooks before it. Where one fails, nothing is done, the ledger knows that it failed, and `HookFailed` is raised."""
        course = self._course(kind)
        if there(course.hooks):
            await self.world.tenure.enter()
        try:
            await hooks.run(course, (kind,), before=True)
        except hooks.HookFailed as error:
            body: JSONObject = {**self.told, "results": [], "reason": error.diagnostics[0].summary}
            record.once(self.world.ledger, f"{kind}.failed", body, since=self.since)
            raise

    async def after(self, kind: str) -> hooks.HookFailed | None:
        """The hooks after it; the error of one that fails, for whoever has still to tell the ledger what was done."""
        try:
            await hooks.run(self._course(kind), (kind,), before=False)
        except hooks.HookFailed as error:
            return error
        return None
