"""What the command line asks for: a method for each verb, which tells the story to the servers that were chosen."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import cached_property, partial
from typing import Any, TypeVar

from vitrify.app.wiring import LOCAL, Ask, Wiring
from vitrify.core.asked import Scope
from vitrify.core.declaration import Host, Server
from vitrify.core.diagnostic import PlanStale, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.drift import Audit
from vitrify.core.entered import Entered
from vitrify.core.event import Emit
from vitrify.core.plan import HostPlan, Plan, Selection
from vitrify.core.report import (
    LAST,
    Applied,
    Bootstrapped,
    Check,
    Converged,
    EntryView,
    ImageKept,
    ImageMoved,
    ImageVerified,
    LeaseView,
    Outdated,
    Released,
    ReleaseStatus,
    ServerStatus,
    Updated,
    Verified,
    Which,
)

__all__ = ("App",)

Result = TypeVar("Result")


class App:
    """One command's view of a project. Everything is opened when it is first needed, and nothing twice."""

    def __init__(self, options: Scope, *, emit: Emit, environ: Mapping[str, str], ask: Ask | None = None) -> None:
        self._options = options
        self._environ = environ
        self._wiring = Wiring(options, emit=emit, environ=environ, ask=ask)
        self._begin = partial(Wiring, emit=emit, environ=environ, ask=ask)

    @cached_property
    def _loop(self) -> asyncio.Runner:
        return asyncio.Runner()

    def _run(self, story: Coroutine[Any, Any, Result]) -> Result:
        """All stories of a command share one event loop: what one of them opened, the next one uses."""
        return self._loop.run(story)

    def close(self) -> None:
        """End what was kept open between the stories of a command."""
        if "_loop" in vars(self):
            with self._loop as loop:
                loop.run(self._wiring.hang_up())

    def plan(self) -> Plan:
        """What an apply would do; told to the ledger unless the last entry says the same."""
        self._record_plan(plan := self._run(self._plan()))
        return plan

    def save(self, plan: Plan, path: str) -> None:
        """Write the plan as a document; the file is replaced atomically."""
        from vitrify.project import saved

        saved.write(plan, path)

    def saved(self, path: str) -> Plan:
        """The plan in this file, if an apply would still do exactly that; `PlanStale` otherwise."""
        from vitrify.project import saved

        document = saved.read(path)
        self._options = Selection.from_json(document.get("selection")).within(self._options)
        self._wiring = self._begin(self._options)
        now = self.free(self._run(self._plan()))
        if document.get("digest") != now.digest:
            hint = f"plan again (`vitrify plan -o {path}`), look at it, and apply that"
            raise PlanStale(f"{path} is not what an apply would do now", why=saved.moved(document, now), hint=hint)
        return now

    def free(self, plan: Plan) -> Plan:
        """This plan, if nobody is changing what it is about at this moment; else a fresh one as soon as nobody is.

        `Busy` at once where `--wait` does not allow for that.
        """
        return self._run(self._free(plan))

    def apply(self, plan: Plan) -> Applied:
        """Carry out the plan, server by server; stops at the first that fails."""
        return self._run(self._apply(plan))

    def undo(self, server: str, *, which: Which = LAST, force: bool = False) -> Applied:
        """Take back the last apply of a mutable server on each of its hosts, the named run, or every run back to it."""
        from vitrify.lifecycle import fleet

        found = self._server(server)
        return self._run(fleet.undo(found, self._wiring.world, which=which, force=force, parallel=self._options.parallel))

    def take_over(self, plan: Plan) -> Applied:
        """Manage what this plan found to be as declared already; nothing on the hosts is touched."""
        from vitrify.lifecycle import keeping

        return self._run(keeping.take_over(self._chosen(), plan.servers, self._wiring.world, parallel=self._options.parallel))

    def leaving(self, server: str) -> Plan:
        """What retiring a server would take away where it is changed in place; a plan for no server where it is not."""
        from vitrify.lifecycle import keeping

        places = self._managed(server)
        if not places:
            return Plan(server, "", ())
        bare = keeping.without_wishes(server, places)
        planned, problems = self._run(keeping.plan_to_leave(bare, self._wiring.world, parallel=self._options.parallel))
        return Plan(server, "", planned, made_at=round(time.time()), problems=problems)

    def leave(self, server: str, plan: Plan) -> Applied:
        """Take away what this plan says, and forget the hosts on which that went well."""
        from vitrify.lifecycle import keeping

        hosts = [one for one in plan.servers if isinstance(one, HostPlan)]
        bare = keeping.without_wishes(server, self._managed(server))
        applied = self._run(keeping.leave(bare, hosts, self._wiring.world, parallel=self._options.parallel))
        return replace(applied, problems=(*plan.problems, *applied.problems))

    def forget(self, server: str, *, host: str = "", gone: bool = False) -> Applied:
        """Stop managing a server's hosts (or one of them): what is there stays. Hosts that are `gone` are not asked."""
        from vitrify.lifecycle import keeping

        places = [place for place in self._managed(server) if host in ("", place.name)]
        if not places:
            where = f" on {host}" if host else ""
            raise UsageInvalid(f"{server} manages nothing{where}", hint="`vitrify status` tells what is managed where")
        if gone:
            keeping.forget_gone(server, [place.name for place in places], self._wiring.world)
            return Applied(hosts=tuple(Converged(server, place.name, "", ()) for place in places))
        return self._run(keeping.forget(keeping.without_wishes(server, places), self._wiring.world, parallel=self._options.parallel))

    def status(self) -> tuple[ServerStatus, ...]:
        """Every server of the declaration, as it is now."""
        from vitrify.lifecycle.status import status

        return (*self._run(status(self._chosen(), self._wiring.world)), *self._abandoned())

    def outdated(self) -> tuple[Outdated, ...]:
        """How far every host is behind what its package lists offer; changes nothing."""
        from vitrify.lifecycle.outdated import outdated

        return self._run(outdated(self._chosen(), self._wiring.world, parallel=self._options.parallel))

    def bare(self, server: str = "") -> tuple[Bootstrapped, ...]:
        """Which hosts lack a Python, and how they would get one; changes nothing."""
        from vitrify.lifecycle import bootstrap

        return asyncio.run(bootstrap.look(self._named(server), self._wiring.world, parallel=self._options.parallel))

    def bootstrap(self, found: tuple[Bootstrapped, ...], server: str = "") -> tuple[Bootstrapped, ...]:
        """Bring a Python to the hosts that lack one."""
        from vitrify.lifecycle import bootstrap

        return asyncio.run(bootstrap.install(found, self._named(server), self._wiring.world, parallel=self._options.parallel))

    def _named(self, server: str) -> tuple[Server, ...]:
        return (self._server(server),) if server else self._chosen()

    def bake(self, server: str) -> tuple[str, int]:
        """Bake a server's image; returns its digest and size in bytes."""
        from vitrify.lifecycle import immutable

        image = self._run(immutable.bake(self._server(server), LOCAL, self._wiring.world))
        return image.digest, image.size

    def update(self, server: str = "", *, dry_run: bool = False) -> Updated:
        """Choose anew what a server's base is made of and what it installs (or all servers'), and pin that unless it is a dry run."""
        from vitrify.lifecycle.update import update

        everyone = self._wiring.declaration.servers
        servers = (self._server(server),) if server else everyone
        return self._run(update(servers, everyone, LOCAL, self._wiring.world, dry_run=dry_run))

    def bake_disk(self, server: str, *, form: str, into: str) -> tuple[str, int]:
        """Bake a server's image and write a bootable disk of it to a file; returns the image's digest and the disk's size in bytes."""
        image, _ = self.bake(server)
        size = self._wiring.warehouse.write_disk(image, self._server(server), form=form, into=into, emit=self._wiring.emit)
        self._wiring.world.ledger.append("disk.written", {"server": server, "image": image, "format": form, "bytes": size})
        return image, size

    def releases(self, server: str = "") -> tuple[ReleaseStatus, ...]:
        """The releases of one server, or of all, newest first."""
        from vitrify.lifecycle.status import releases

        names = (server,) if server else self._wiring.world.state.servers()
        return self._run(releases(names, self._wiring.world))

    def rollback_plan(self, server: str, *, to: int | None = None) -> tuple[int | None, int]:
        """From which release to which a rollback would go."""
        from vitrify.lifecycle.immutable import rollback_target

        target = rollback_target(server, self._wiring.world, to=to)
        return self._wiring.world.state.slots(server).live, target.number

    def rollback(self, server: str, *, to: int | None = None) -> Released:
        """Make a former release live again. Does not need the declaration, but for the secrets of a release that runs no more."""
        from vitrify.lifecycle.immutable import rollback
        from vitrify.lifecycle.settings import known_secrets

        def secret(name: str) -> str:
            # Only a release that runs no more asks: the declaration is not read for the others.
            return known_secrets(self._server(server).secrets)(name)

        return self._run(rollback(server, self._wiring.world, to=to, secret=secret))

    def lives(self, server: str) -> tuple[str, ...]:
        """How a server lives: `in-place` on hosts, with `instances`, or both after a flip. Neither is one with instances that ended."""
        releases = [release for release in self._wiring.world.state.releases(server) if release.state not in ("discarded", "aborted")]
        in_place = ("in-place",) if self._managed(server) else ()
        return (*in_place, *(("instances",) if releases or not in_place else ()))

    def retire(self, server: str) -> int:
        """Stop and discard every instance of a server; returns how many there were."""
        from vitrify.lifecycle.retire import retire

        return self._run(retire(server, self._wiring.world))

    def enter(self, server: str, command: tuple[str, ...], *, instance: str, reason: str, terminal: bool) -> tuple[Entered, ...]:
        """Run a command on each host of a mutable server, or inside one instance of an immutable one, where there is a reason."""
        from vitrify.app.entering import Wish, enter

        return enter(self._server(server), Wish(command, reason, instance, terminal), self._wiring, run=self._run)

    def logs(self, name: str, *, lines: int) -> str:
        """The last lines of an instance, or of each live instance of a server."""
        from vitrify.lifecycle.status import logs

        return self._run(logs(name, self._wiring.world, lines=lines))

    def leases(self, server: str = "") -> tuple[LeaseView, ...]:
        """Who holds, or last held, the lease of one server, or of all, on each host."""
        from vitrify.lifecycle import holders

        servers = (self._server(server),) if server else self._chosen()
        return self._run(holders.held(servers, self._wiring.world, parallel=self._options.parallel))

    def release_lease(self, server: str, *, reason: str) -> tuple[LeaseView, ...]:
        """Take the lease of a server away from whoever holds it, and record that; returns those that were taken away."""
        from vitrify.lifecycle import holders

        return self._run(holders.release(self._server(server), self._wiring.world, reason=reason))

    def audit(self, *, full: bool = False) -> Audit:
        """Compare what runs with what was declared and authorised; changes nothing."""
        from vitrify.lifecycle.audit import audit

        return self._run(audit(self._chosen(), self._wiring.world, full=full))

    def entries(self, *, last: int) -> tuple[EntryView, ...]:
        """The newest entries of the ledger, oldest first."""
        ledger = self._wiring.world.ledger
        found = ledger.entries(max(0, ledger.size - last))
        return tuple(EntryView(entry.sequence, entry.at, entry.author, entry.kind, dict(entry.body)) for entry in found)

    def verify(self, path: str = "") -> Verified:
        """Check the project's ledger, or a copy of it, by code that shares nothing with the writer."""
        return self._wiring.verify(path)

    def verify_image(self, name: str, *, keys: Sequence[str] = ()) -> ImageVerified:
        """Check an image (a server's, by its digest, or in a folder) and all that is said of it."""
        return self._wiring.verify_image(name, keys=keys)

    def push(self, what: str, reference: str, *, plain: bool = False, compression: str = "gzip") -> ImageMoved:
        """Push an image to a registry."""
        from vitrify.core.reference import Reference
        from vitrify.lifecycle import images

        return images.push(
            what, Reference.parse(reference), self._wiring.warehouse.stock(plain=plain, compression=compression), self._wiring.world
        )

    def pull(self, reference: str, *, plain: bool = False) -> ImageMoved:
        """Have an image of a registry here."""
        from vitrify.core.reference import Reference
        from vitrify.lifecycle import images

        return images.pull(Reference.parse(reference), self._wiring.warehouse.stock(plain=plain), self._wiring.world)

    def images(self) -> tuple[ImageKept, ...]:
        """Every image that is kept on this machine."""
        from vitrify.lifecycle import images

        return images.images(self._wiring.warehouse.stock(), self._wiring.world)

    def export(self, what: str, into: str, *, name: str = "", evidence: bool = False) -> ImageMoved:
        """Write an image to a file or a folder."""
        from vitrify.core.reference import Reference
        from vitrify.lifecycle import images

        wrapping = images.Wrapping(into, Reference.parse(name) if name else None, evidence)
        return images.export(what, wrapping, self._wiring.warehouse.stock(), self._wiring.world)

    def load(self, source: str) -> tuple[ImageMoved, ...]:
        """Have the images of a file or a folder here."""
        from vitrify.lifecycle import images

        return images.load(source, self._wiring.warehouse.stock(), self._wiring.world)

    def doctor(self) -> tuple[Check, ...]:
        """What this machine has, and the line that mends what it lacks."""
        from vitrify.project.doctor import doctor

        return doctor(self._environ, home=self._wiring.home)

    def init(self, folder: str, *, name: str) -> tuple[str, ...]:
        """Write a commented, valid declaration and a small example app; never over a file that is there."""
        from vitrify.project.starter import write

        return write(folder, name)

    # -- the chosen servers ---------------------------------------------------------------------------------------

    def _chosen(self) -> tuple[Server, ...]:
        from vitrify.project.choose import choose

        return choose(self._wiring.declaration, limit=self._options.limit, exclude=self._options.exclude)

    def _managed(self, server: str) -> list[Host]:
        """The hosts that this server is changed in place on, whether they are declared still or not."""
        from vitrify.project.settings import host_at

        return [host_at(host, self._wiring.folder.absolute()) for name, host in self._wiring.world.state.managed() if name == server]

    def _abandoned(self) -> tuple[ServerStatus, ...]:
        """The managed hosts that no server declares any more; of all servers, whatever was chosen."""
        from vitrify.lifecycle.keeping import abandoned

        if self._options.limit or self._options.exclude:
            return ()
        told = "left the declaration: what was applied is still there"
        places = abandoned(self._wiring.declaration.servers, self._wiring.world)
        return tuple(ServerStatus(server, "abandoned", (host,), problem=told) for server, host in places)

    def _server(self, name: str) -> Server:
        from vitrify.project.choose import named

        return named(self._wiring.declaration, name)

    async def _plan(self) -> Plan:
        async with self._wiring.calling():
            return await self._planned()

    async def _free(self, plan: Plan) -> Plan:
        from vitrify.lifecycle.lease import refuse_held, when_free

        known: Plan | None = plan

        async def found() -> Plan:
            nonlocal known
            now, known = known or await self._planned(), None
            refuse_held(now.servers)
            return now

        return await when_free(found, ", ".join(sorted({one.server for one in plan.servers})), self._wiring.world)

    async def _planned(self) -> Plan:
        from vitrify.core.digest import digest_of
        from vitrify.lifecycle import fleet
        from vitrify.project.choose import only_tagged, with_tags

        selection = Selection.of(self._options)
        servers = with_tags(selection.tags, self._chosen())
        planned, problems = await fleet.plan(servers, self._wiring.world, parallel=self._options.parallel)
        planned = only_tagged(selection.tags, planned, servers)
        declared = digest_of({server.name: server.digest for server in servers})
        now, project = round(time.time()), self._wiring.declaration.project
        return Plan(project, declared, planned, made_at=now, selection=selection, problems=problems)

    def _record_plan(self, plan: Plan) -> None:
        ledger = self._wiring.world.ledger
        newest = next(iter(ledger.entries(ledger.size - 1)), None) if ledger.size else None
        if newest is None or newest.kind != "plan" or newest.body.get("plan") != plan.digest:
            body: JSONObject = {"plan": plan.digest, "declaration": plan.declaration, "empty": plan.empty}
            picked: JSONObject = {} if plan.selection == Selection() else {"selection": plan.selection.to_json()}
            ledger.append("plan", {**body, **picked})

    async def _apply(self, plan: Plan) -> Applied:
        from vitrify.lifecycle import fleet

        servers = {server.name: server for server in self._wiring.declaration.servers}
        applied = await fleet.apply(plan.servers, servers, self._wiring.world, parallel=self._options.parallel)
        return replace(applied, problems=(*plan.problems, *applied.problems))
