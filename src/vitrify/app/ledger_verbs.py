"""What the command line asks for about the ledger: entries looked for, proved, carried away, cosigned, verified."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import TYPE_CHECKING

from vitrify.app.command import Command

if TYPE_CHECKING:  # a command brings along what it needs and no more
    from vitrify.core import report
    from vitrify.core.digest import JSONObject
    from vitrify.core.ledger_report import Asked, Cosigned, Shown
    from vitrify.ledger.entry import Entry


class LedgerVerbs(Command):
    """A method for each verb that is about the ledger."""

    def entries(self, *, last: int) -> tuple[report.EntryView, ...]:
        """The newest entries of the ledger, oldest first."""
        ledger = self._wiring.ledgers.reading
        return tuple(_view(entry) for entry in ledger.entries(max(0, ledger.size - last)))

    def grep(self, asked: Asked) -> tuple[report.EntryView, ...]:
        """The entries that fit, oldest first."""
        from vitrify.ledger.finding import fits

        return tuple(_view(entry) for entry in self._wiring.ledgers.reading.entries(asked.since) if fits(entry, asked))

    def prove(self, number: int) -> str:
        """A receipt for one entry, which a stranger can check."""
        from vitrify.ledger.receipt import receipt

        return receipt(self._wiring.ledgers.reading, number).decode()

    def export_ledger(self, *, since: int = 0) -> Iterator[str]:
        """Every entry from this number on, as the bytes that were signed, one a line."""
        return self._wiring.ledgers.lines(since=since)

    def checkpoint(self) -> str:
        """The published checkpoint, as it was signed."""
        return self._wiring.ledgers.checkpoint()

    def cosign(self) -> Cosigned:
        """Have the witnesses cosign it."""
        return self._wiring.ledgers.cosign()

    def verify(self, path: str = "", *, quick: bool = False) -> report.Verified:
        """Check the project's ledger, or a copy of it, by code that shares nothing with the writer; `quick`, only what is new."""
        return self._wiring.ledgers.verify(path, quick=quick)

    def check_receipt(self, path: str) -> Shown:
        """What a receipt in a file shows."""
        from vitrify.core.ledger_report import Shown

        found = self._wiring.ledgers.check(path)
        details: JSONObject = {"origin": found.origin, "size": found.size, "entry": found.number, "signed_by": [*found.signed_by]}
        text = found.entry.decode("utf-8", "replace") if not found.problems else base64.b64encode(found.entry).decode()
        return Shown(path, found.problems, {**details, "witnessed_by": [*found.witnessed_by], "text": text})

    def serve_witness(self, listen: str, *, name: str) -> None:
        """Be a witness of this project's ledger, until interrupted."""
        from vitrify.app.witnessing import serve

        serve(self._wiring.ledgers, listen=listen, name=name, emit=self._wiring.emit)


def _view(entry: Entry) -> report.EntryView:
    from vitrify.core.report import EntryView

    return EntryView(entry.sequence, entry.at, entry.author, entry.kind, dict(entry.body), dict(entry.actor))
