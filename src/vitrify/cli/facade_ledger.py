"""What the command line asks of the application about the ledger, keys and approvals."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from vitrify.core.ledger_report import Approved, Asked, Cosigned, KeyMoved, KeyView, Recovered, Shown
    from vitrify.core.plan import Plan
    from vitrify.core.report import EntryView, Verified


class LedgerApplication(Protocol):
    """The stories of `ledger`, `key`, `approve` and `witness`."""

    def entries(self, *, last: int) -> tuple[EntryView, ...]:
        """The newest entries of the ledger, oldest first."""

    def grep(self, asked: Asked) -> tuple[EntryView, ...]:
        """The entries that fit, oldest first."""

    def prove(self, number: int) -> str:
        """A receipt for one entry."""

    def export_ledger(self, *, since: int) -> Iterator[str]:
        """Every entry from this number on, as the bytes that were signed."""

    def checkpoint(self) -> str:
        """The published checkpoint, as it was signed."""

    def cosign(self) -> Cosigned:
        """Have the witnesses cosign it."""

    def verify(self, path: str, *, quick: bool) -> Verified:
        """Check the project's ledger ("") or a copy of it; `quick`, only what is new."""

    def check_receipt(self, path: str) -> Shown:
        """What a receipt in a file shows."""

    def verify_at(self, host: str) -> Shown:
        """Whether what a host keeps of the ledger is in it."""

    def recover(self) -> Recovered:
        """Put the ledger together again from what hosts kept."""

    def known_keys(self) -> tuple[KeyView, ...]:
        """Every key that the project knows."""

    def rotate(self, *, until: str) -> KeyMoved:
        """A new key takes the place of ours."""

    def revoke(self, key: str, *, why: str, since: int | None) -> KeyMoved:
        """A key counts no more: it was `lost` or `stolen`."""

    def approve(self, path: str) -> Approved:
        """Sign the plan in a file."""

    def approved(self, plan: Plan) -> None:
        """Denied where policy wants approvals that this plan does not have."""

    def serve_witness(self, listen: str, *, name: str) -> None:
        """Be a witness of this project's ledger, until interrupted."""
