"""What the command line asks for: a method for each verb, which tells the story to the servers that were chosen."""

from __future__ import annotations

import asyncio
import time
from dataclasses import replace
from typing import TYPE_CHECKING

from vitrify.app.answer_verbs import AnswerVerbs
from vitrify.app.host_verbs import HostVerbs
from vitrify.app.image_verbs import ImageVerbs
from vitrify.app.traffic_verbs import TrafficVerbs
from vitrify.app.watch_verb import WatchVerb
from vitrify.core.diagnostic import PlanStale, UsageInvalid
from vitrify.core.drift import REREAD

if TYPE_CHECKING:  # a command brings along what it needs and no more
    from vitrify.app.serve_unit import Unit
    from vitrify.core import report
    from vitrify.core.audit_report.report import Report
    from vitrify.core.digest import JSONObject
    from vitrify.core.drift import Accepted, Audit, Known
    from vitrify.core.entered import Entered
    from vitrify.core.host_report import LogsTold, ReleasesTold
    from vitrify.core.migrated import Contracted, Owed
    from vitrify.core.plan import Plan
    from vitrify.core.served import Served

__all__ = ("App",)


class App(ImageVerbs, HostVerbs, TrafficVerbs, WatchVerb, AnswerVerbs):
    """A method for each verb; those about images, the ledger, keys, and where requests go have files of their own."""

    def plan(self) -> Plan:
        """What an apply would do; told to the ledger unless the last entry says the same."""
        from vitrify.lifecycle import record

        plan = self._run(self._plan())
        record.plan(plan, self._wiring.world.ledger)
        return plan

    def save(self, plan: Plan, path: str) -> None:
        """Write the plan as a document; the file is replaced atomically."""
        from vitrify.project import saved

        saved.write(plan, path)

    def saved(self, path: str) -> Plan:
        """The plan in this file, if an apply would still do exactly that; `PlanStale` otherwise."""
        from vitrify.core.selection import Selection
        from vitrify.project import saved

        document = saved.read(path)
        self._options = Selection.from_json(document.get("selection")).within(self._options)
        self._wiring = self._begin(self._options)
        now = self.free(self._run(self._plan()))
        if document.get("digest") != now.digest and self._cut_short(document, now):
            now = replace(now, rest_of=str(document["digest"]))
        elif document.get("digest") != now.digest:
            hint = f"plan again (`vitrify plan -o {path}`), look at it, and apply that"
            raise PlanStale(f"{path} is not what an apply would do now", why=saved.moved(document, now), hint=hint)
        return replace(now, approvals=saved.approvals(document))

    def _cut_short(self, document: JSONObject, now: Plan) -> bool:
        """Whether this is what is left of a saved plan whose apply was killed: then the same command goes on with it."""
        from vitrify.lifecycle import record
        from vitrify.project import saved

        places = [(one.server, one.host) for one in now.servers if not one.empty]
        return saved.is_rest(document, now) and record.unfinished(self._wiring.world.ledger, str(document.get("digest")), places)

    def free(self, plan: Plan) -> Plan:
        """This plan, if nobody is changing what it is about at this moment; else a fresh one as soon as nobody is.

        `Busy` at once where `--wait` does not allow for that.
        """
        return self._run(self._free(plan))

    def apply(self, plan: Plan) -> report.Applied:
        """Carry out the plan, server by server; stops at the first that fails."""
        return self._run(self._apply(plan))

    def undo(self, server: str, *, which: report.Which, force: bool = False) -> report.Applied:
        """Take back the last apply of a mutable server on each of its hosts, the named run, or every run back to it."""
        from vitrify.lifecycle import fleet

        found = self._server(server)
        return self._run(fleet.undo(found, self._wiring.world, which=which, force=force, parallel=self._options.parallel))

    def take_over(self, plan: Plan) -> report.Applied:
        """Manage what this plan found to be as declared already; nothing on the hosts is touched."""
        from vitrify.lifecycle import keeping

        return self._run(keeping.take_over(self._chosen(), plan.servers, self._wiring.world, parallel=self._options.parallel))

    def leaving(self, server: str) -> Plan:
        """What retiring a server would take away where it is changed in place; a plan for no server where it is not."""
        from vitrify.core.plan import Plan
        from vitrify.lifecycle import keeping

        places = self._managed(server)
        if not places:
            return Plan(server, "", ())
        bare = keeping.without_wishes(server, places)
        planned, problems = self._run(keeping.plan_to_leave(bare, self._wiring.world, parallel=self._options.parallel))
        return Plan(server, "", planned, made_at=round(time.time()), problems=problems)

    def leave(self, server: str, plan: Plan) -> report.Applied:
        """Take away what this plan says, and forget the hosts on which that went well."""
        from vitrify.core.plan import HostPlan
        from vitrify.lifecycle import keeping

        hosts = [one for one in plan.servers if isinstance(one, HostPlan)]
        bare = keeping.without_wishes(server, self._managed(server), declared=self._wiring.declaration.servers)
        applied = self._run(keeping.leave(bare, hosts, self._wiring.world, parallel=self._options.parallel))
        return replace(applied, problems=(*plan.problems, *applied.problems))

    def forget(self, server: str, *, host: str = "", gone: bool = False) -> report.Applied:
        """Stop managing a server's hosts (or one of them): what is there stays. Hosts that are `gone` are not asked."""
        from vitrify.core.report import Applied, Converged
        from vitrify.lifecycle import keeping

        places = [place for place in self._managed(server) if host in ("", place.name)]
        if not places:
            where = f" on {host}" if host else ""
            raise UsageInvalid(f"{server} manages nothing{where}", hint="`vitrify status` tells what is managed where")
        if gone:
            keeping.forget_gone(server, [place.name for place in places], self._wiring.world)
            return Applied(hosts=tuple(Converged(server, place.name, "", ()) for place in places))
        return self._run(keeping.forget(keeping.without_wishes(server, places), self._wiring.world, parallel=self._options.parallel))

    def status(self) -> tuple[report.ServerStatus, ...]:
        """Every server of the declaration, as it is now."""
        from vitrify.lifecycle.status import status

        return (*self._run(status(self._chosen(), self._wiring.world)), *self._abandoned())

    def outdated(self) -> tuple[report.Outdated, ...]:
        """How far every host is behind what its package lists offer; changes nothing."""
        from vitrify.lifecycle.outdated import outdated

        return self._run(outdated(self._chosen(), self._wiring.world, parallel=self._options.parallel))

    def bare(self, server: str = "") -> tuple[report.Bootstrapped, ...]:
        """Which hosts lack a Python, and how they would get one; changes nothing."""
        from vitrify.lifecycle import bootstrap

        return asyncio.run(bootstrap.look(self._named(server), self._wiring.world, parallel=self._options.parallel))

    def bootstrap(self, found: tuple[report.Bootstrapped, ...], server: str = "") -> tuple[report.Bootstrapped, ...]:
        """Bring a Python to the hosts that lack one."""
        from vitrify.lifecycle import bootstrap

        return asyncio.run(bootstrap.install(found, self._named(server), self._wiring.world, parallel=self._options.parallel))

    def releases(self, server: str = "") -> ReleasesTold:
        """The releases of one server, or of all, newest first."""
        from vitrify.lifecycle.listing import releases

        names = (server,) if server else self._wiring.world.state.servers()
        return self._run(releases(names, self._wiring.world))

    def owed(self, server: str) -> Owed:
        """The contract that the live release of a server has not carried out yet; `UsageInvalid` where there is none."""
        from vitrify.lifecycle import migration

        return migration.needed(server, self._wiring.world)

    def contract(self, server: str, *, now: bool = False, skip: bool = False) -> Contracted:
        """Carry out what the live release owes, or pass it over for good."""
        from vitrify.lifecycle import migration
        from vitrify.lifecycle.lodging import lodging

        world = self._wiring.world
        host = lodging(server, world)
        if skip:
            return self._run(migration.skip(server, host, world))
        return self._run(migration.contract(server, host, world, secret=self._secret_of(server), now=now))

    def lives(self, server: str) -> tuple[str, ...]:
        """How a server lives: `in-place` on hosts, with `instances`, or both after a flip. Neither is one with instances that ended."""
        releases = [release for release in self._wiring.world.state.releases(server) if not release.over]
        in_place = ("in-place",) if self._managed(server) else ()
        return (*in_place, *(("instances",) if releases or not in_place else ()))

    def retire(self, server: str, *, host: str = "") -> report.Retired:
        """Stop and discard every instance of a server, on all its hosts or on one."""
        from vitrify.lifecycle.retire import retire

        secret = self._secret_of(server)
        return self._run(retire(server, self._wiring.world, host=host, secret=secret, parallel=self._options.parallel))

    def enter(self, server: str, command: tuple[str, ...], *, instance: str, reason: str, terminal: bool) -> tuple[Entered, ...]:
        """Run a command on each host of a mutable server, or inside one instance of an immutable one, where there is a reason."""
        from vitrify.app.entering import Wish, enter

        return enter(self._server(server), Wish(command, reason, instance, terminal), self._wiring, run=self._run)

    def logs(self, name: str, *, lines: int) -> LogsTold:
        """The last lines of an instance, or of each live instance of a server."""
        from vitrify.lifecycle.listing import logs

        return self._run(logs(name, self._wiring.world, lines=lines))

    def leases(self, server: str = "") -> tuple[report.LeaseView, ...]:
        """Who holds, or last held, the lease of one server, or of all, on each host."""
        from vitrify.lifecycle import holders

        servers = (self._server(server),) if server else self._chosen()
        return self._run(holders.held(servers, self._wiring.world, parallel=self._options.parallel))

    def release_lease(self, server: str, *, reason: str) -> tuple[report.LeaseView, ...]:
        """Take the lease of a server away from whoever holds it, and record that; returns those that were taken away."""
        from vitrify.lifecycle import holders

        return self._run(holders.release(self._server(server), self._wiring.world, reason=reason))

    def audit(self, *, full: bool = False, reread: float = REREAD) -> Audit:
        """Compare what runs with what was declared and authorised; changes nothing. `reread` is a percentage of folders."""
        from vitrify.lifecycle.audit import audit

        return self._run(audit(self._chosen(), self._wiring.world, full=full, reread=reread))

    def reported(self, audit: Audit, *, days: int) -> Report:
        """An audit ready to be reported, with what the ledger tells of these servers over so many days."""
        from vitrify.app.reporting import report

        return report(audit, self._chosen(), self._wiring, days=days)

    def writable(self, path: str) -> None:
        """`UsageInvalid` where no file can be put there."""
        from vitrify.project import whole_file

        whole_file.writable(path)

    def write(self, text: str, path: str) -> None:
        """Put the text into a file, whole or not at all."""
        from vitrify.project import whole_file

        whole_file.write(text, path)

    def serve(self, *, listen: str = "", once: bool = False) -> Served:
        """Look after the chosen servers until it is ended, or (`once`) for one turn of each duty; `Busy` where another process does."""
        from vitrify.app import serving

        readings = serving.Readings(self._options, self._begin, environ=self._environ)
        story = serving.once(readings) if once else serving.forever(readings, listen=listen)
        return self._run(story)

    def install_serve(self, *, listen: str = "") -> str:
        """Have systemd keep `serve` running for this project, from now on and after each start of the machine; the unit's path."""
        from vitrify.app import serve_unit

        return serve_unit.install(self._unit(listen))

    def uninstall_serve(self) -> str:
        """Take that back; the path of what is gone, "" where nothing was there. Instances and routers run on."""
        from vitrify.app import serve_unit

        return serve_unit.uninstall(self._unit(""))

    def _unit(self, listen: str) -> Unit:
        from vitrify.app.serve_unit import Unit, flags

        wiring = self._wiring
        words = (*flags(self._options), *(("--listen", listen) if listen else ()))
        return Unit(wiring.declaration.project, wiring.world.project_id, str(wiring.folder.absolute()), words, self._environ)

    def accept(self, paths: tuple[str, ...], *, server: str, host: str, reason: str) -> tuple[Accepted, ...]:
        """Compare with what is at these paths now, on every chosen mutable host or on one; each host is an entry of the ledger."""
        from vitrify.lifecycle.accepting import Acceptance, accept_all

        return self._run(accept_all(self._named(server), Acceptance(paths, reason), self._wiring.world, host=host))

    def known_of(self, path: str, *, server: str, host: str) -> tuple[Known, ...]:
        """All that is known of a path, on every chosen mutable host or on one. Changes nothing."""
        from vitrify.lifecycle.known import known

        return self._run(known(self._named(server), path, self._wiring.world, host=host))

    def doctor(self) -> tuple[report.Check, ...]:
        """What this machine has, and the line that mends what it lacks."""
        from vitrify.project.doctor import doctor

        return doctor(self._environ, home=self._wiring.home)

    def init(self, folder: str, *, name: str) -> tuple[str, ...]:
        """Write a commented, valid declaration and a small example app; never over a file that is there."""
        from vitrify.project.starter import write

        return write(folder, name)

    # -- the chosen servers ---------------------------------------------------------------------------------------

    def _abandoned(self) -> tuple[report.ServerStatus, ...]:
        """The managed hosts that no server declares any more; of all servers, whatever was chosen."""
        from vitrify.core.report import ServerStatus
        from vitrify.lifecycle.keeping import abandoned

        if self._options.limit or self._options.exclude:
            return ()
        told = "left the declaration: what was applied is still there"
        places = abandoned(self._wiring.declaration.servers, self._wiring.world)
        return tuple(ServerStatus(server, "abandoned", (host,), problem=told) for server, host in places)

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
        from vitrify.core.plan import Plan
        from vitrify.core.selection import Selection
        from vitrify.lifecycle import fleet
        from vitrify.project.choose import only_tagged, with_tags

        selection = Selection.of(self._options)
        servers = with_tags(selection.tags, self._chosen())
        planned, problems = await fleet.plan(servers, self._wiring.world, parallel=self._options.parallel)
        planned = only_tagged(selection.tags, planned, servers)
        declared = digest_of({server.name: server.digest for server in servers})
        now, project = round(time.time()), self._wiring.declaration.project
        return Plan(project, declared, planned, made_at=now, selection=selection, problems=problems)

    async def _apply(self, plan: Plan) -> report.Applied:
        from vitrify.app import approvals
        from vitrify.lifecycle import fleet

        declaration = self._wiring.declaration
        counted = approvals.refuse_unapproved(plan, declaration, self._wiring.ledgers)
        world = replace(self._wiring.world, plan=plan.approved_as)
        approvals.enter(plan, counted, declaration, world.ledger)
        servers = {server.name: server for server in declaration.servers}
        applied = await fleet.apply(plan.servers, servers, world, parallel=self._options.parallel, unseen=plan.problems)
        return replace(applied, problems=(*plan.problems, *applied.problems))
