"""A project's ledger as a command opens it: where it is kept, whose keys count, which witnesses are asked."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import UsageInvalid, VitrifyError
from vitrify.core.event import Emit, Event, Stage
from vitrify.onhost.failpoint import from_environment

if TYPE_CHECKING:  # a command brings along what it needs and no more
    from vitrify.core.declaration import Declaration
    from vitrify.core.ledger_report import Cosigned
    from vitrify.core.report import Verified
    from vitrify.ledger.checkpoint import Signer
    from vitrify.ledger.log import Log
    from vitrify.ledger.mirror import Mirror
    from vitrify.ledger.verify import Policy
    from vitrify.ledger.verify.receipt import Receipt
    from vitrify.lifecycle.notices import Telling
    from vitrify.project.identity import Identity
    from vitrify.stores.directory import DirectoryLedgerStore

_PROVED = "verified"
"""In the project's folder of this machine: the newest checkpoint under which every byte was read and held."""


@dataclass(frozen=True)
class Author:
    """Who is at the keyboard: what a new key of theirs is called, and how theirs is opened, or made."""

    name: str
    signer: Callable[[], Signer]


class Ledgers:
    """One project's ledger. Everything is opened when it is first needed, and nothing twice."""

    def __init__(self, home: Path, folder: Path, *, author: Author, environ: Mapping[str, str], emit: Emit) -> None:
        self._home = home
        self._folder = folder
        self._author = author
        self._environ = environ
        self._emit = emit

    @property
    def keys_folder(self) -> Path:
        """Where the keys of this machine's user are."""
        return self._home / "keys"

    @property
    def folder(self) -> str:
        """The project's folder, where `vitrify.keys` is."""
        return str(self._folder)

    @property
    def name(self) -> str:
        """What a new key of this user is called."""
        return self._author.name

    @property
    def signer(self) -> Signer:
        """This user's key."""
        return self._author.signer()

    @property
    def environ(self) -> Mapping[str, str]:
        """The environment of the command."""
        return self._environ

    @cached_property
    def identity(self) -> Identity:
        """Who the project is, with this author in it; made where there is none. Denied where the author's key counts no more."""
        from vitrify.project import identity

        author = str(self.signer.verifier)
        known = identity.ensure(str(self._folder), author=author)
        identity.refuse_expired(known, author, today=today())
        return known

    @property
    def known(self) -> Identity:
        """Who the project is, as it stands; UsageInvalid where nothing was ever planned."""
        from vitrify.project import identity

        known = identity.read(str(self._folder))
        if known is None:
            raise UsageInvalid("this project has no ledger yet", hint="the first plan or apply begins one")
        return known

    @property
    def vouching(self) -> tuple[str, ...]:
        """The keys whose signature under an image counts: a stolen one's does not."""
        known = self.known
        return (*known.authors, *(key for key in known.former if key not in known.revoked))

    @cached_property
    def log(self) -> Log:
        """The ledger, to be written; what a process before this one signed is published."""
        log = self.opened(self.identity, self.signer)
        log.recover()
        return log

    def telling(self, log: Log, declaration: Callable[[], Declaration]) -> Telling:
        """This ledger of the project's, which tells whoever is declared to be told."""
        from vitrify.app.remembering import desk, telling

        return telling(log, desk(self._folder, self._environ), declaration, emit=self._emit)

    @cached_property
    def mirror(self) -> Mirror:
        """The ledger as hosts witness it."""
        from vitrify.ledger.mirror import Mirror

        return Mirror(self.log, f"{self.name}, in {self.place(self.identity)}")

    @property
    def reading(self) -> Log:
        """The ledger, to be read; by whoever may write nothing any more as well."""
        log = self.opened(self.known, self.signer)
        log.recover()
        return log

    def opened(self, identity: Identity, signer: Signer) -> Log:
        """The ledger, in which this signer would write."""
        from vitrify.ledger.log import Log
        from vitrify.project.actor import actor
        from vitrify.project.clock import SystemClock

        user = self._author.name.partition("@")[0]
        return Log(
            self._store(identity),
            origin=origin(identity),
            signer=signer,
            clock=SystemClock(),
            trusted=tuple(key for key in identity.authors if key not in identity.former),
            bounds=identity.former,
            actor=actor(self._environ, user=user, host=socket.gethostname()),
            reached=from_environment(self._environ),
        )

    def place(self, identity: Identity) -> Path:
        """Where this machine keeps what it knows of the project."""
        return self._home / "projects" / identity.project_id

    def _store(self, identity: Identity) -> DirectoryLedgerStore:
        from vitrify.stores.directory import DirectoryLedgerStore

        return DirectoryLedgerStore(self.place(identity) / "ledger")

    # -- to look ----------------------------------------------------------------------------------------------------

    def verify(self, path: str, *, quick: bool = False, held: bytes | None = None) -> Verified:
        """Check the project's ledger (""), or a copy of it, by code that shares nothing with the writer.

        What held before is asked of it again, or what somebody `held`; `quick` reads only what came since.
        """
        from vitrify.ledger.verify import Kept, verify
        from vitrify.stores.directory import DirectoryLedgerStore

        identity = self.known
        folder = Path(path) if path else self.place(identity) / "ledger"
        if not folder.is_dir():
            raise UsageInvalid(f"there is no ledger at {folder}")
        store = DirectoryLedgerStore(folder)
        proved = self._proved(identity)
        kept = Kept(proved=proved) if quick else Kept(held=held or (None if path else proved))
        verified = verify(store.read, trust=policy(identity), origin=origin(identity), kept=kept, paths=store.paths(""))
        note = store.read("checkpoint")
        if not (path or verified.problems) and note is not None:
            self._keep_proved(identity, note)
        return verified

    def _proved(self, identity: Identity) -> bytes | None:
        try:
            return (self.place(identity) / _PROVED).read_bytes()
        except FileNotFoundError:
            return None

    def _keep_proved(self, identity: Identity, note: bytes) -> None:
        from vitrify.stores.directory import DirectoryLedgerStore

        DirectoryLedgerStore(self.place(identity)).write(_PROVED, note)

    def check(self, path: str) -> Receipt:
        """What a receipt in a file shows, by the same code."""
        from vitrify.ledger.verify.receipt import check_receipt

        identity = self.known
        try:
            data = Path(path).read_bytes()
        except OSError as error:
            raise UsageInvalid(f"{path} cannot be read", why=error.strerror or "") from None
        return check_receipt(data, trust=policy(identity), origin=origin(identity))

    def checkpoint(self) -> str:
        """The published checkpoint as it was signed; UsageInvalid where there is none."""
        log = self.reading
        log.head()
        note = log.store.read("checkpoint")
        if note is None:
            raise UsageInvalid("the ledger is empty", hint="the first plan or apply writes into it")
        return note.decode()

    def lines(self, *, since: int = 0) -> Iterator[str]:
        """The canonical bytes of every entry from this number on, as text."""
        return (entry.encode().decode() for entry in self.reading.entries(since))

    # -- witnesses --------------------------------------------------------------------------------------------------

    def cosign(self) -> Cosigned:
        """Have the witnesses of `vitrify.keys` cosign the published checkpoint."""
        from vitrify.ledger.cosigning import cosign
        from vitrify.stores.witnesses import HttpWitness

        known = self.known
        return cosign(self.opened(known, self.signer), [HttpWitness(key, url) for key, url in known.witnesses.items()])

    def cosign_quietly(self) -> None:
        """The same at the end of a command, which did what it was asked: what is missing is told, and the next command asks again."""
        try:
            if not self.known.witnesses:
                return
            told = self.cosign()
        except VitrifyError as error:
            self._emit(Event("witness", Stage.NOTICE, "", f"no witness cosigned: {error.diagnostics[0].summary}"))
            return
        for name, why in told.missing:
            self._emit(Event("witness", Stage.NOTICE, name, f"did not cosign entry {told.size - 1}: {why}; the next command asks again"))


def origin(identity: Identity) -> str:
    """The ledger's name: what its checkpoints begin with."""
    return f"vitrify.dev/ledger/{identity.project_id}"


def policy(identity: Identity) -> Policy:
    """Whose word a verifier takes."""
    from vitrify.ledger.verify import Policy

    return Policy(identity.authors, identity.former, tuple(identity.witnesses), identity.quorum)


def today() -> str:
    """The day by this machine's clock, as `vitrify.keys` writes days."""
    return time.strftime("%Y-%m-%d", time.gmtime())
