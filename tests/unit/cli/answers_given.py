"""What the application of these tests answers about what followed a finding."""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.adoption import Adoption, Patch
from vitrify.core.quarantined import Quarantined

KEPT = Quarantined("db", "local", "5f1c20-118", "/srv/app/new", "file", "finding 118 of the ledger", 1_770_000_000, 118, "ab12")


class AnswersGiven:
    """Answers that depend on nothing but the question."""

    evidence: tuple[Quarantined, ...] = (KEPT, replace(KEPT, server="web", id="web-r3-00aa-0", path="", what="instance"))

    def adoption(self, path: str, *, server: str, host: str) -> Adoption:
        patch = Patch("vitrify.yaml", "mode: 0600\n", "mode: 0644\n")
        return Adoption("db", "local", path, f"file:{path}", ("mode",), (patch,), ("web",))

    def adopt(self, found: Adoption) -> int:
        return 9

    def quarantined(self) -> tuple[Quarantined, ...]:
        return self.evidence

    def put_back(self, name: str) -> Quarantined:
        return replace(KEPT, id=name)

    def discard_evidence(self, name: str) -> Quarantined:
        return replace(KEPT, id=name)
