"""The wiring: the only file that picks adapters. Everything is opened when it is first needed, and nothing twice."""

from __future__ import annotations

import getpass
import socket
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import replace
from functools import cached_property, partial
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.asked import Scope
from vitrify.core.declaration import Declaration, Host
from vitrify.core.digest import PLAIN
from vitrify.core.event import Emit
from vitrify.onhost.failpoint import from_environment

if TYPE_CHECKING:
    from vitrify.app.ledgers import Ledgers
    from vitrify.app.warehouse import Warehouse
    from vitrify.builders.oci import OciBuilder
    from vitrify.core.digest import JSONObject
    from vitrify.core.image_report import ImageVerified, Verdict
    from vitrify.core.resource import Kinds
    from vitrify.evidence.oci import OciEvidence
    from vitrify.ledger.checkpoint import Signer, Verifier
    from vitrify.lifecycle.world import Site, World
    from vitrify.ports import Session
    from vitrify.project.identity import Identity
    from vitrify.project.reach import Reach
    from vitrify.strangers import Installed
    from vitrify.transports.local import LocalTransport
    from vitrify.transports.ssh import SshTransport
    from vitrify.transports.waiting import Waiting

LOCAL = Host("local")

ELSEWHERE = "/var/lib/vitrify-run"
"""Where another machine keeps the images, instances and routers of a project; not beneath `/var/lib/vitrify`, which only root may pass."""


Ask = Callable[[str], Awaitable[str]]
"""Puts a question to whoever sits at the terminal; the answer is not shown."""


class Wiring:
    """A project and its surroundings, seen from one command."""

    def __init__(self, options: Scope, *, emit: Emit, environ: Mapping[str, str], ask: Ask | None) -> None:
        self._options = options
        self._ask = ask
        self._emit = emit
        self._environ = environ

    @cached_property
    def home(self) -> Path:
        """Where vitrify keeps what it remembers on this machine."""
        if chosen := self._environ.get("VITRIFY_HOME"):
            return Path(chosen).absolute()
        import platformdirs

        return platformdirs.user_data_path("vitrify")

    @cached_property
    def folder(self) -> Path:
        """The folder of the project."""
        from vitrify.project.find import find

        return find(self._options.folder).parent

    @cached_property
    def declaration(self) -> Declaration:
        """The declaration, loaded and valid. Where it is not, nothing was written: not who the project is, nor any key."""
        from vitrify.project import reach
        from vitrify.project.find import NAME
        from vitrify.project.keyring import digest_key, known_digest_key

        key = known_digest_key(self.home / "keys")
        found = self._loaded(key)
        if digest_key(self.home / "keys", fresh=key) != key:
            found = self._loaded(digest_key(self.home / "keys"))  # another process was the first one here
        if self._foreseeable:
            reach.remember(self.home, self.folder / NAME, found)
        return found

    @cached_property
    def _installed(self) -> Installed:
        from vitrify.strangers import Installed

        return Installed()

    @cached_property
    def _kinds(self) -> Kinds:
        from vitrify.strangers import kinds_beside

        return kinds_beside(self._installed)

    def _loaded(self, key: bytes) -> Declaration:
        from vitrify.project.load import load

        inputs = {"environ": self._environ, "overrides": self._options.overrides}
        return load(str(self.folder), **inputs, kinds=self._kinds, key=key, environment=self._options.environment)

    @property
    def _foreseeable(self) -> bool:
        """Whether the bytes of the declaration alone say which hosts it names: a program, an environment or a variable may say more."""
        from vitrify.project.find import NAME

        return not (self._options.overrides or self._options.environment) and (self.folder / NAME).is_file()

    def _project_home(self, identity: Identity) -> Path:
        return self.home / "projects" / identity.project_id

    @cached_property
    def ledgers(self) -> Ledgers:
        """The project's ledger, and the keys that count in it."""
        from vitrify.app.ledgers import Author, Ledgers

        author = Author(self._author, lambda: self._signer)
        return Ledgers(self.home, self.folder, author=author, environ=self._environ, emit=self._emit)

    def witnessed(self) -> None:
        """Have witnesses cosign what this command entered."""
        if "world" in vars(self):
            self.ledgers.cosign_quietly()

    @cached_property
    def world(self) -> World:
        """What the stories are given."""
        from vitrify.app.remembering import desk
        from vitrify.lifecycle.world import World
        from vitrify.onhost.tenant import Tenant
        from vitrify.project import keyring
        from vitrify.project.clock import SystemClock, new_name
        from vitrify.project.lock import LockFile
        from vitrify.stores.sqlite import SqliteStateStore

        known = self.ledgers.identity
        home = self._project_home(known)
        clock, reached, at = SystemClock(), from_environment(self._environ), desk(self.folder, self._environ)
        return World(
            project_id=known.project_id,
            author=self._author,
            ledger=self.ledgers.telling(self.ledgers.log, lambda: self.declaration),
            state=SqliteStateStore(home / "state.db"),
            clock=clock,
            kinds=self._kinds,
            strangers=self._installed.among,
            emit=self._emit,
            reached=reached,
            key=keyring.digest_key(self.home / "keys").hex(),
            bubblewrap=lambda: self._bubblewrap,
            identify=new_name,
            session=self._session,
            session_anew=partial(self._session, anew=True),
            bringing=partial(self._session, bringing=True),
            site=self._site,
            pins=LockFile(str(self.folder)),
            opening=lambda: self.warehouse.storage,
            leased=self._leased,
            mirror=self.ledgers.mirror,
            keep_runs=self._options.keep_runs,
            dead_man=self._options.dead_man,
            process=Tenant.this().to_json(),
            wait=self._options.wait,
            desk=at,
        )

    def see_told(self) -> None:
        """Wait a little for notices that are still on their way."""
        if "world" in vars(self):
            from vitrify.app.remembering import see_told

            see_told(self.world)

    @cached_property
    def _signer(self) -> Signer:
        from vitrify.project.keyring import author_key

        return author_key(self.home / "keys", name=self._author)

    @property
    def _author(self) -> str:
        return self._environ.get("VITRIFY_AUTHOR") or f"{getpass.getuser()}@{socket.gethostname()}"

    @cached_property
    def _bubblewrap(self) -> str:
        from vitrify.project.binaries import bubblewrap_if_any

        return bubblewrap_if_any()

    @cached_property
    def _transport(self) -> LocalTransport:
        from vitrify.transports.local import LocalTransport

        return LocalTransport(self.home, environ=self._environ)

    @cached_property
    def _ssh(self) -> SshTransport:
        return self._reaching(whole=False)

    @cached_property
    def _ssh_whole(self) -> SshTransport:
        """For hosts of instances, which need more of our programs."""
        return self._reaching(whole=True)

    def _reaching(self, *, whole: bool) -> SshTransport:
        from vitrify.project.sudo import SudoPassword
        from vitrify.transports.ssh import Client, SiteTransport, SshTransport, sockets

        known = self._reach
        ssh = self.declaration.ssh if not known.servers else None
        config, asks = (ssh.config, bool(ssh.sudo_password)) if ssh else (known.config, known.asks)
        password = SudoPassword(lambda: self.declaration.ssh, self._environ, self._ask)
        client = Client(sockets(self.home, self._environ), config)
        answer = password.answer if asks or password.answers else None
        return (SiteTransport if whole else SshTransport)(client, environ=self._environ, password=answer)

    @cached_property
    def _reach(self) -> Reach:
        """The hosts of the declaration as it was last read, if nothing can have changed."""
        from vitrify.project.find import NAME
        from vitrify.project.reach import Reach, remembered

        return remembered(self.home, self.folder / NAME) if self._foreseeable else Reach()

    @asynccontextmanager
    async def calling(self) -> AsyncIterator[None]:
        """Connections are begun before the declaration is read, which takes longer than they do."""
        # What is left out may be a group or a host, which only the declaration knows: then nobody is called before it is read.
        hosts = self._reach.hosts(self._options.limit, ())[: self._options.parallel] if not self._options.exclude else ()
        for host in hosts:
            await (self._ssh_whole if host.name in self._reach.bearing else self._ssh).begin(host)
        try:
            yield
        finally:
            if hosts:
                await self._ssh.give_up()
                await self._ssh_whole.give_up()

    def on_host(self, host: Host, argv: tuple[str, ...], *, terminal: bool) -> tuple[str, ...]:
        """What runs these words on a host, from here; on another machine as whoever logs in there."""
        return self._ssh.running(host, argv, terminal=terminal) if host.is_remote else argv

    @asynccontextmanager
    async def _session(self, host: Host, *, anew: bool = False, bringing: bool = False, whole: bool = False) -> AsyncIterator[Session]:
        if host.is_remote and not (anew or bringing):
            async with (self._waiting_whole if whole else self._waiting).session(host) as session:
                yield session
            return
        connect = partial(self._ssh.connect, anew=anew, bringing=bringing) if host.is_remote else self._transport.connect
        session = await connect(host)
        try:
            yield session
        finally:
            await session.close()

    @cached_property
    def _waiting(self) -> Waiting:
        from vitrify.transports.waiting import Waiting

        return Waiting(self._ssh.connect, at_most=self._options.parallel, clock=time.monotonic)

    @cached_property
    def _waiting_whole(self) -> Waiting:
        from vitrify.transports.waiting import Waiting

        return Waiting(self._ssh_whole.connect, at_most=self._options.parallel, clock=time.monotonic)

    async def hang_up(self) -> None:
        """End the sessions that were kept for what might come after."""
        for waiting in [vars(self)[name] for name in ("_waiting", "_waiting_whole") if name in vars(self)]:
            await waiting.close()

    @asynccontextmanager
    async def _site(self, host: Host, *lease: JSONObject) -> AsyncIterator[Site]:
        """Where instances run: only looked at, or with the lease of a server that is asked for (`Wiring._leased`)."""
        from vitrify.transports.lazy import LazySession
        from vitrify.transports.leased import leased

        # What finds everything done starts no program.
        async with LazySession(lambda: self._session(LOCAL)) as here, LazySession(lambda: self._session(host, whole=True)) as there:
            session = there if host.is_remote else here
            over = partial(self._elsewhere, host, here=here) if host.is_remote else partial(self._nearby, host)
            if not lease:
                yield over(session)
                return
            async with leased(session, *lease) as held:
                yield replace(over(held), token=held.token)

    def _leased(self, host: Host, server: str, wish: JSONObject) -> AbstractAsyncContextManager[Site]:
        return self._site(host, {"home": self.run_home(host), "project": self.world.project_id, "server": server}, wish)

    def run_home(self, host: Host) -> str:
        """The folder that holds the instances of this project there."""
        return f"{ELSEWHERE}/{self.world.project_id}" if host.is_remote else str(self.home / "projects" / self.world.project_id / "run")

    def _nearby(self, host: Host, session: Session) -> Site:
        from vitrify.app.routers import Means, router
        from vitrify.app.runtimes import PODMAN_STORAGE, Programs, runtime
        from vitrify.lifecycle.world import Site
        from vitrify.project.tools import bubblewrap_here
        from vitrify.stores.carrying import NearbyCarrier

        home = self.run_home(LOCAL)
        programs = Programs(bubblewrap_here, self._environ.get(PODMAN_STORAGE, ""))
        return Site(
            host=host,
            session=session,
            builder=self._builder(session),
            runtime=runtime(session, programs, home=home, images=NearbyCarrier(self.warehouse.store), emit=self._emit),
            router=router(session, Means(), lambda: self.declaration, home=home, emit=self._emit),
            evidence=self.evidence,
            home=home,
        )

    def _elsewhere(self, host: Host, session: Session, here: Session) -> Site:
        """Images are baked on this machine, and brought to the host on which they run."""
        from vitrify.app.routers import Means, router
        from vitrify.app.runtimes import Programs, runtime
        from vitrify.lifecycle.world import Site
        from vitrify.project.tools import HostTools
        from vitrify.stores.carrying import SessionCarrier

        home = self.run_home(host)
        tools, carrier = HostTools(session, home), SessionCarrier(session, home, self.warehouse.store)
        return Site(
            host=host,
            session=session,
            builder=self._builder(here),
            runtime=runtime(session, Programs(tools.bubblewrap), home=home, images=carrier, emit=self._emit),
            router=router(session, Means.there(tools, host.address), lambda: self.declaration, home=home, emit=self._emit),
            evidence=self.evidence,
            home=home,
        )

    def _builder(self, session: Session) -> OciBuilder:
        from vitrify.builders.oci import Means, OciBuilder

        means = Means(payload=self._transport.payload, bwrap=self._bubblewrap)
        return OciBuilder(session, self.warehouse.store, means=means, sources=self.warehouse.sources())

    @property
    def emit(self) -> Emit:
        """Where events go."""
        return self._emit

    @cached_property
    def warehouse(self) -> Warehouse:
        """The images that this machine keeps."""
        from vitrify.app.warehouse import Warehouse

        return Warehouse(self.home / "store", self._environ)

    @cached_property
    def evidence(self) -> OciEvidence:
        """What is in the images of this machine's store, who made them, and whether that is true."""
        from vitrify.evidence.oci import OciEvidence

        return OciEvidence(self.warehouse.store, signer=lambda: self._signer, trusted=self._trusted)

    def _trusted(self) -> tuple[Verifier, ...]:
        from vitrify.ledger.checkpoint import Verifier

        return tuple(Verifier.parse(key) for key in self.ledgers.vouching)

    def verify_image(self, name: str, *, keys: Sequence[str]) -> ImageVerified:
        """Check an image: of a server, by its digest, or in an OCI layout that came from elsewhere."""
        from vitrify.core.image_report import ImageVerified
        from vitrify.evidence.verify import only_image, verify
        from vitrify.ledger.checkpoint import Verifier
        from vitrify.lifecycle.lodging import live_image

        trusted = tuple(Verifier.parse(key) for key in keys)
        if "/" in name or name in (".", ".."):
            image = only_image(name)
            return ImageVerified(image, verify(name, image, trusted=trusted or self._trusted()))
        image = name if name.startswith(PLAIN) else live_image(name, self.world)
        evidence = replace(self.evidence, trusted=lambda: trusted) if trusted else self.evidence
        return ImageVerified(image, (*evidence.verify(image), self._entered(image)))

    def _entered(self, image: str) -> Verdict:
        """Whether the ledger says that this image was baked."""
        from vitrify.core.image_report import Verdict

        for entry in self.world.ledger.entries():
            if entry.kind == "bake.done" and entry.body.get("image") == image:
                return Verdict("ledger", holds=True, found=f"baked in entry {entry.sequence}, by {entry.author}")
        return Verdict("ledger", holds=False, found="no entry of this project's ledger says that it was baked")
