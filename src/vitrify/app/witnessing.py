"""`vitrify witness`: this machine as a witness of one project's ledger."""

from __future__ import annotations

from typing import TYPE_CHECKING

from vitrify.app.ledgers import Ledgers, origin
from vitrify.core.event import Emit, Event, Stage

if TYPE_CHECKING:
    from vitrify.ledger.cosignature import Cosigner

_KEY = "witness"


def cosigner(ledgers: Ledgers, *, name: str) -> Cosigner:
    """This machine's key as a witness, made at the first use; it is none of an author's."""
    from vitrify.ledger import keys
    from vitrify.ledger.cosignature import Cosigner

    path = ledgers.keys_folder / _KEY
    return Cosigner(keys.load(path) if path.exists() else keys.create(path, name=name))


def serve(ledgers: Ledgers, *, listen: str, name: str, emit: Emit) -> None:
    """Answer until interrupted; tells the line that belongs into `vitrify.keys`."""
    from vitrify.ledger.witness import Known, Witness
    from vitrify.project.clock import SystemClock
    from vitrify.stores.directory import DirectoryLedgerStore
    from vitrify.stores.witnesses import serve as answer

    identity = ledgers.known
    own = cosigner(ledgers, name=name or f"witness-{ledgers.name}")
    known = {origin(identity): Known(identity.authors, identity.former)}
    store = DirectoryLedgerStore(ledgers.keys_folder.parent / "witness")
    witness = Witness(own, known, store, SystemClock())

    def told(url: str) -> None:
        emit(Event("witness.line", Stage.NOTICE, "", f"in vitrify.keys: witness {own.key} {url}"))

    answer(witness, listen=listen, told=told)
