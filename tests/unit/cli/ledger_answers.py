"""The part of an application that answers what a test wants which is about the ledger, keys and approvals."""

from __future__ import annotations

from collections.abc import Iterator

from vitrify.core.ledger_report import Approved, Asked, Cosigned, KeyMoved, KeyView, Recovered, Shown
from vitrify.core.plan import Plan
from vitrify.core.report import EntryView, Verified

KEY = "ann@desk+5b3b7a2c+AQID"
NEW = "ann@desk+00c0ffee+AQIE"


class LedgerAnswers:
    """Answers with what it holds, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, dict[str, object]]]
        self.entries_are: tuple[EntryView, ...] = ()
        self.verified_is = Verified("vitrify.dev/ledger/5e0f", 7, "c0ffee", ("ann@desk",))
        self.shown_is = Shown("17.tlog-proof", (), {"entry": 17, "signed_by": ["ann@desk"]})
        self.cosigned_is = Cosigned(7, ("w1.example",))
        self.keys_are: tuple[KeyView, ...] = (KeyView(KEY, "author", ours=True),)

    def _called(self, name: str, /, **arguments: object) -> None:
        self.calls.append((name, arguments))

    def entries(self, *, last: int) -> tuple[EntryView, ...]:
        self._called("entries", last=last)
        return self.entries_are

    def grep(self, asked: Asked) -> tuple[EntryView, ...]:
        self._called("grep", asked=asked)
        return self.entries_are

    def prove(self, number: int) -> str:
        self._called("prove", number=number)
        return "c2sp.org/tlog-proof@v1\nindex 17\n\nvitrify.dev/ledger/5e0f\n18\nAAAA\n\n— ann@desk AAAA\n"

    def export_ledger(self, *, since: int) -> Iterator[str]:
        self._called("export_ledger", since=since)
        return iter(('{"sequence":0}', '{"sequence":1}'))

    def checkpoint(self) -> str:
        self._called("checkpoint")
        return "vitrify.dev/ledger/5e0f\n7\nAAAA\n\n— ann@desk AAAA\n"

    def cosign(self) -> Cosigned:
        self._called("cosign")
        return self.cosigned_is

    def verify(self, path: str, *, quick: bool) -> Verified:
        self._called("verify", path=path, quick=quick)
        return self.verified_is

    def check_receipt(self, path: str) -> Shown:
        self._called("check_receipt", path=path)
        return self.shown_is

    def verify_at(self, host: str) -> Shown:
        self._called("verify_at", host=host)
        return self.shown_is

    def recover(self) -> Recovered:
        self._called("recover")
        return Recovered(0, 7, ("local",), ("ssh://db1",))

    def known_keys(self) -> tuple[KeyView, ...]:
        self._called("known_keys")
        return self.keys_are

    def rotate(self, *, until: str) -> KeyMoved:
        self._called("rotate", until=until)
        return KeyMoved(KEY, "retired", 7, 8, NEW)

    def revoke(self, key: str, *, why: str, since: int | None) -> KeyMoved:
        self._called("revoke", key=key, why=why, since=since)
        return KeyMoved(KEY, "revoked", 7, 7)

    def approve(self, path: str) -> Approved:
        self._called("approve", path=path)
        return Approved(
            "sha256:0",
            "ann@desk+5b3b7a2c",
            ("ann@desk+5b3b7a2c",),
            (),
            ({"server": "web", "required": 2, "given": ["ann@desk"], "missing": ["bob@desk"]},),
        )

    def approved(self, plan: Plan) -> None:
        self._called("approved", plan=plan)

    def serve_witness(self, listen: str, *, name: str) -> None:
        self._called("serve_witness", listen=listen, name=name)
