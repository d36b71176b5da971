"""The wiring: the only file that picks adapters, and the facade that the command line calls."""

from __future__ import annotations

import asyncio
import getpass
import json
import os
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.declaration import Declaration, Host, Lifecycle, Server
from vitrify.core.diagnostic import PlanStale, UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.drift import Audit
from vitrify.core.event import Emit
from vitrify.core.plan import HostPlan, Plan, ReleasePlan, Selection, tagged
from vitrify.core.report import Applied, Check, Converged, EntryView, Released, ReleaseStatus, ServerStatus, Verified
from vitrify.onhost.failpoint import from_environment

if TYPE_CHECKING:
    from vitrify.core.step import Reached
    from vitrify.ledger.checkpoint import Signer
    from vitrify.ledger.log import Log
    from vitrify.lifecycle.world import Site, World
    from vitrify.ports import Clock, Session
    from vitrify.project.identity import Identity
    from vitrify.transports.local import LocalTransport

LOCAL = Host("local")


@dataclass(frozen=True)
class Options:
    """What the global flags said."""

    folder: str = "."
    selection: Selection = field(default_factory=Selection)
    overrides: Mapping[str, str] = field(default_factory=dict)


class App:
    """One command's view of a project. Everything is opened when it is first needed, and nothing twice."""

    def __init__(self, options: Options, *, emit: Emit, environ: Mapping[str, str]) -> None:
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
        target = Path(path)
        temporary = target.with_name(f".{target.name}.{os.getpid()}")
        temporary.write_text(json.dumps(plan.to_json(), indent=2) + "\n")
        temporary.replace(target)

    def saved(self, path: str) -> Plan:
        """The plan in this file, if an apply would still do exactly that; `PlanStale` otherwise."""
        try:
            document = json.loads(Path(path).read_text())
        except (OSError, ValueError) as error:
            raise UsageInvalid(f"{path} is not a saved plan", why=str(error), hint=f"`vitrify plan -o {path}` writes one") from None
        picked = document.get("selection") if isinstance(document, dict) else None
        self._options = replace(self._options, selection=Selection.from_json(picked))
        now = asyncio.run(self._plan())
        if not isinstance(document, dict) or document.get("digest") != now.digest:
            raise PlanStale(
                f"{path} does not describe what an apply would do now", why=_moved(document, now), hint="plan again, and look at it"
            )
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
        from vitrify.project.load import load

        world, options = self._world, self._options
        inputs = {"environ": self._environ, "overrides": options.overrides}
        key, environment = bytes.fromhex(world.key), options.selection.environment
        return load(str(self._folder), **inputs, kinds=world.kinds, key=key, environment=environment)

    def _chosen(self) -> tuple[Server, ...]:
        from vitrify.project.choose import choose

        return choose(self._declaration, limit=self._options.selection.limit, exclude=self._options.selection.exclude)

    def _server(self, name: str) -> Server:
        found = next((server for server in self._declaration.servers if server.name == name), None)
        if found is None:
            names = ", ".join(server.name for server in self._declaration.servers)
            raise UsageInvalid(f"there is no server {name!r}", hint=f"servers: {names}")
        return found

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
            bubblewrap=_bubblewrap_if_any(),
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

    @asynccontextmanager
    async def _session(self, host: Host) -> AsyncIterator[Session]:
        session = await self._transport.connect(host)
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
        from vitrify.core.digest import digest_of
        from vitrify.lifecycle import immutable, mutable
        from vitrify.project.choose import refuse_unknown_tags

        planned: list[HostPlan | ReleasePlan] = []
        servers, selection = self._chosen(), self._options.selection
        refuse_unknown_tags(selection.tags, [server for server in servers if server.lifecycle is Lifecycle.MUTABLE])
        for server in servers:
            if server.lifecycle is Lifecycle.MUTABLE:
                whole = [await mutable.plan(server, host, self._world) for host in server.hosts]
                tags = selection.tags
                planned += (
                    [tagged(one, server.wishes(host), tags=tags) for one, host in zip(whole, server.hosts, strict=True)] if tags else whole
                )
            elif not selection.tags:  # an image is made whole or not at all
                planned.append(await immutable.plan(server, server.hosts[0], self._world))
        declared = digest_of({server.name: server.digest for server in servers})
        return Plan(self._declaration.project, declared, tuple(planned), made_at=round(time.time()), selection=selection)

    def _record_plan(self, plan: Plan) -> None:
        ledger = self._world.ledger
        newest = next(iter(ledger.entries(ledger.size - 1)), None) if ledger.size else None
        if newest is None or newest.kind != "plan" or newest.body.get("plan") != plan.digest:
            body: JSONObject = {"plan": plan.digest, "declaration": plan.declaration, "empty": plan.empty}
            picked: JSONObject = {} if plan.selection == Selection() else {"selection": plan.selection.to_json()}
            ledger.append("plan", {**body, **picked})

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


def _bubblewrap_if_any() -> str:
    """Most targets need none: whoever does says so."""
    from vitrify.project.binaries import find_bubblewrap

    try:
        return find_bubblewrap()
    except UsageInvalid:
        return ""


def _first_answer(url: str) -> Awaitable[None]:
    from vitrify.routers.answer import first_answer

    return first_answer(url)


def _moved(document: object, now: Plan) -> str:
    saved = document.get("declaration") if isinstance(document, dict) else None
    return "the declaration changed" if saved != now.declaration else "the servers changed"
