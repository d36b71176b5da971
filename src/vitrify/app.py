"""The wiring: the only file that picks adapters, and the facade that the command line calls."""

from __future__ import annotations

import asyncio
import getpass
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.declaration import Declaration, Host, Lifecycle, Server
from vitrify.core.diagnostic import PlanStale, UsageInvalid
from vitrify.core.drift import Audit
from vitrify.core.event import Emit
from vitrify.core.plan import HostPlan, Plan, ReleasePlan
from vitrify.core.report import Applied, Check, Converged, EntryView, Released, ReleaseStatus, ServerStatus, Verified
from vitrify.onhost.failpoint import from_environment

if TYPE_CHECKING:
    from vitrify.core.step import Reached
    from vitrify.ledger.checkpoint import Signer
    from vitrify.ledger.log import Log
    from vitrify.lifecycle.world import Site, World
    from vitrify.ports import Clock, Session
    from vitrify.project.identity import Identity
    from vitrify.project.reach import Reach
    from vitrify.transports.local import LocalTransport
    from vitrify.transports.ssh import SshTransport

LOCAL = Host("local")


@dataclass(frozen=True)
class Options:
    """What the global flags said."""

    folder: str = "."
    limit: tuple[str, ...] = ()
    exclude: tuple[str, ...] = ()
    overrides: Mapping[str, str] = field(default_factory=dict)


class App:
    """One command's view of a project. Everything is opened when it is first needed, and nothing twice."""

    def __init__(
        self, options: Options, *, emit: Emit, environ: Mapping[str, str], ask: Callable[[str], Awaitable[str]] | None = None
    ) -> None:
        self._ask = ask
        self._options = options
        self._emit = emit
        self._environ = environ

    def plan(self) -> Plan:
        """What an apply would do; told to the ledger unless the last entry says the same."""
        plan = asyncio.run(self._plan())
        self._record_plan(plan)
        return plan

    def save(self, plan: Plan, path: str) -> None:
        """Write the plan as a document; the file is replaced atomically."""
        from vitrify.project import saved

        saved.write(plan, path)

    def saved(self, path: str) -> Plan:
        """The plan in this file, if an apply would still do exactly that; `PlanStale` otherwise."""
        from vitrify.project import saved

        document = saved.read(path)
        now = asyncio.run(self._plan())
        if document.get("digest") != now.digest:
            why = "the declaration changed" if document.get("declaration") != now.declaration else "the servers changed"
            raise PlanStale(f"{path} does not describe what an apply would do now", why=why, hint="plan again, and look at it")
        return now

    def apply(self, plan: Plan) -> Applied:
        """Carry out the plan, server by server; stops at the first that fails."""
        return asyncio.run(self._apply(plan))

    def undo(self, server: str, *, run: str = "", force: bool = False) -> tuple[Converged, ...]:
        """Take back the last apply (or the named run) of a mutable server, on each of its hosts."""
        return asyncio.run(self._undo(self._server(server), run=run, force=force))

    def status(self) -> tuple[ServerStatus, ...]:
        """Every server of the declaration, as it is now."""
        from vitrify.lifecycle.status import status

        return asyncio.run(status(self._chosen(), self._world))

    def bake(self, server: str) -> tuple[str, int]:
        """Bake a server's image; returns its digest and size in bytes."""
        from vitrify.lifecycle import immutable

        image = asyncio.run(immutable.bake(self._server(server), LOCAL, self._world))
        return image.digest, image.size

    def releases(self, server: str = "") -> tuple[ReleaseStatus, ...]:
        """The releases of one server, or of all, newest first."""
        from vitrify.lifecycle.status import releases

        names = (server,) if server else self._world.state.servers()
        return asyncio.run(releases(names, LOCAL, self._world))

    def rollback_plan(self, server: str, *, to: int | None = None) -> tuple[int | None, int]:
        """From which release to which a rollback would go."""
        from vitrify.lifecycle.immutable import rollback_target

        target = rollback_target(server, self._world, to=to)
        return self._world.state.slots(server).live, target.number

    def rollback(self, server: str, *, to: int | None = None) -> Released:
        """Make a former release live again. Does not need the declaration, but for the secrets of a release that runs no more."""
        from vitrify.lifecycle.immutable import rollback
        from vitrify.lifecycle.settings import known_secrets

        def secret(name: str) -> str:
            # Only a release that runs no more asks: the declaration is not read for the others.
            return known_secrets(self._server(server).secrets)(name)

        return asyncio.run(rollback(server, LOCAL, self._world, to=to, secret=secret))

    def retire(self, server: str) -> int:
        """Stop and discard every instance of a server; returns how many there were."""
        from vitrify.lifecycle.retire import retire

        return asyncio.run(retire(server, LOCAL, self._world))

    def logs(self, name: str, *, lines: int) -> str:
        """The last lines of an instance, or of each live instance of a server."""
        from vitrify.lifecycle.status import logs

        return asyncio.run(logs(name, LOCAL, self._world, lines=lines))

    def audit(self, *, full: bool = False) -> Audit:
        """Compare what runs with what was declared and authorised; changes nothing."""
        from vitrify.lifecycle.audit import audit

        return asyncio.run(audit(self._chosen(), self._world, full=full))

    def entries(self, *, last: int) -> tuple[EntryView, ...]:
        """The newest entries of the ledger, oldest first."""
        ledger = self._world.ledger
        found = ledger.entries(max(0, ledger.size - last))
        return tuple(EntryView(entry.sequence, entry.at, entry.author, entry.kind, dict(entry.body)) for entry in found)

    def verify(self, path: str = "") -> Verified:
        """Check the project's ledger, or a copy of it, by code that shares nothing with the writer."""
        from vitrify.ledger.verify import verify
        from vitrify.stores.directory import DirectoryLedgerStore

        identity = self._known_identity()
        folder = Path(path) if path else self._project_home(identity) / "ledger"
        if not folder.is_dir():
            raise UsageInvalid(f"there is no ledger at {folder}")
        store = DirectoryLedgerStore(folder)
        return verify(store.read, keys=identity.authors, origin=_origin(identity), paths=store.paths(""))

    def doctor(self) -> tuple[Check, ...]:
        """What this machine has, and the line that mends what it lacks."""
        from vitrify.project.doctor import doctor

        return doctor(self._environ, home=self._home)

    def init(self, folder: str, *, name: str) -> tuple[str, ...]:
        """Write a commented, valid declaration and a small example app; never over a file that is there."""
        from vitrify.project.starter import write

        return write(folder, name)

    # -- the project ---------------------------------------------------------------------------------------------

    @cached_property
    def _home(self) -> Path:
        if chosen := self._environ.get("VITRIFY_HOME"):
            return Path(chosen).absolute()
        import platformdirs

        return platformdirs.user_data_path("vitrify")

    @cached_property
    def _folder(self) -> Path:
        from vitrify.project.find import find

        return find(self._options.folder).parent

    @cached_property
    def _declaration(self) -> Declaration:
        from vitrify.project import reach
        from vitrify.project.find import NAME
        from vitrify.project.load import load

        world = self._world
        key = bytes.fromhex(world.key)
        found = load(str(self._folder), environ=self._environ, overrides=self._options.overrides, kinds=world.kinds, key=key)
        reach.remember(self._home, self._folder / NAME, found)
        return found

    def _chosen(self) -> tuple[Server, ...]:
        from vitrify.project.choose import chosen

        return chosen(self._declaration, limit=self._options.limit, exclude=self._options.exclude)

    def _server(self, name: str) -> Server:
        from vitrify.project.choose import named

        return named(self._declaration, name)

    def _known_identity(self) -> Identity:
        from vitrify.project import identity

        known = identity.read(str(self._folder))
        if known is None:
            raise UsageInvalid("this project has no ledger yet", hint="the first plan or apply begins one")
        return known

    def _project_home(self, identity: Identity) -> Path:
        return self._home / "projects" / identity.project_id

    # -- the world -----------------------------------------------------------------------------------------------

    @cached_property
    def _world(self) -> World:
        from vitrify.lifecycle.world import World
        from vitrify.project import identity
        from vitrify.project.binaries import bubblewrap_if_any
        from vitrify.project.clock import SystemClock, new_name
        from vitrify.project.keyring import author_key, digest_key
        from vitrify.resources.registry import all_kinds
        from vitrify.stores.claim import claim
        from vitrify.stores.sqlite import SqliteStateStore

        author = f"{getpass.getuser()}@{socket.gethostname()}"
        signer = author_key(self._home / "keys", name=author)
        known = identity.ensure(str(self._folder), author=str(signer.verifier))
        home = self._project_home(known)
        clock, reached = SystemClock(), from_environment(self._environ)
        return World(
            project_id=known.project_id,
            author=author,
            ledger=_ledger(home, known, signer, clock, reached),
            state=SqliteStateStore(home / "state.db"),
            clock=clock,
            kinds=all_kinds(),
            emit=self._emit,
            reached=reached,
            key=digest_key(self._home / "keys").hex(),
            bubblewrap=bubblewrap_if_any(),
            identify=new_name,
            claim=lambda server: claim(home / "claims" / f"{server}.lock", server),
            session=self._session,
            site=self._site,
            first_answer=_first_answer,
        )

    @cached_property
    def _transport(self) -> LocalTransport:
        from vitrify.transports.local import LocalTransport

        return LocalTransport(self._home, environ=self._environ)

    @cached_property
    def _ssh(self) -> SshTransport:
        from vitrify.project.sudo import SudoPassword
        from vitrify.transports.ssh import Client, SshTransport, sockets

        known = self._reach
        ssh = self._declaration.ssh if not known.servers else None
        config, asks = (ssh.config, bool(ssh.sudo_password)) if ssh else (known.config, known.asks)
        password = SudoPassword(lambda: self._declaration.ssh, self._environ, self._ask)
        client = Client(sockets(self._home, self._environ), config)
        return SshTransport(client, environ=self._environ, password=password.answer if asks or password.answers else None)

    @cached_property
    def _reach(self) -> Reach:
        """The hosts of the declaration as it was last read, if nothing can have changed."""
        from vitrify.project.find import NAME
        from vitrify.project.reach import Reach, remembered

        return Reach() if self._options.overrides else remembered(self._home, self._folder / NAME)

    @asynccontextmanager
    async def _calling(self) -> AsyncIterator[None]:
        """Connections are begun before the declaration is read, which takes longer than they do."""
        hosts = self._reach.hosts(self._options.limit, self._options.exclude)
        for host in hosts:
            await self._ssh.begin(host)
        try:
            yield
        finally:
            if hosts:
                await self._ssh.give_up()

    @asynccontextmanager
    async def _session(self, host: Host) -> AsyncIterator[Session]:
        session = await (self._ssh if host.is_remote else self._transport).connect(host)
        try:
            yield session
        finally:
            await session.close()

    @asynccontextmanager
    async def _site(self, host: Host) -> AsyncIterator[Site]:
        from vitrify.builders.oci import Means, OciBuilder
        from vitrify.lifecycle.world import Site
        from vitrify.routers.caddy import CaddyRouter
        from vitrify.runtimes.bubblewrap import BubblewrapRuntime
        from vitrify.stores.layout import LayoutStore

        store = LayoutStore(self._home / "store")
        run = str(self._home / "projects" / self._world.project_id / "run")
        async with self._session(LOCAL) as session:
            means = Means(payload=self._transport.payload, bwrap=self._world.bubblewrap)
            yield Site(
                session=session,
                builder=OciBuilder(session, store, means=means),
                runtime=BubblewrapRuntime(session, home=run, images=store, emit=self._emit),
                router=CaddyRouter(session, home=run, emit=self._emit),
            )

    # -- stories over all chosen servers -------------------------------------------------------------------------

    async def _plan(self) -> Plan:
        async with self._calling():
            return await self._planned()

    async def _planned(self) -> Plan:
        from vitrify.lifecycle import immutable, mutable

        planned: list[HostPlan | ReleasePlan] = []
        for server in self._chosen():
            if server.lifecycle is Lifecycle.IMMUTABLE:
                planned.append(await immutable.plan(server, server.hosts[0], self._world))
            else:
                planned += [await mutable.plan(server, host, self._world) for host in server.hosts]
        from vitrify.core.digest import digest_of

        declared = digest_of({server.name: server.digest for server in self._chosen()})
        return Plan(self._declaration.project, declared, tuple(planned), made_at=round(time.time()))

    def _record_plan(self, plan: Plan) -> None:
        ledger = self._world.ledger
        newest = next(iter(ledger.entries(ledger.size - 1)), None) if ledger.size else None
        if newest is None or newest.kind != "plan" or newest.body.get("plan") != plan.digest:
            ledger.append("plan", {"plan": plan.digest, "declaration": plan.declaration, "empty": plan.empty})

    async def _apply(self, plan: Plan) -> Applied:
        from vitrify.lifecycle import immutable, mutable

        hosts: list[Converged] = []
        releases: list[Released] = []
        for planned in plan.servers:
            server = self._server(planned.server)
            host = next(host for host in server.hosts if host.name == planned.host)
            if isinstance(planned, ReleasePlan):
                if not planned.empty:
                    releases.append(await immutable.apply(server, host, planned, self._world))
            elif not planned.empty or planned.bookkeeping or mutable.unrecorded(server, host, self._world):
                hosts.append(await mutable.apply(server, host, planned, self._world))
        return Applied(tuple(hosts), tuple(releases))

    async def _undo(self, server: Server, *, run: str, force: bool) -> tuple[Converged, ...]:
        from vitrify.lifecycle import mutable

        return tuple([await mutable.undo(server.name, host, self._world, run=run, force=force) for host in server.hosts])


def _ledger(home: Path, known: Identity, signer: Signer, clock: Clock, reached: Reached) -> Log:
    from vitrify.ledger.log import Log
    from vitrify.stores.directory import DirectoryLedgerStore

    store = DirectoryLedgerStore(home / "ledger")
    ledger = Log(store, origin=_origin(known), signer=signer, clock=clock, trusted=known.authors, reached=reached)
    ledger.recover()
    return ledger


def _origin(identity: Identity) -> str:
    """The ledger's name: what its checkpoints begin with."""
    return f"vitrify.dev/ledger/{identity.project_id}"


def _first_answer(url: str) -> Awaitable[None]:
    from vitrify.routers.answer import first_answer

    return first_answer(url)
