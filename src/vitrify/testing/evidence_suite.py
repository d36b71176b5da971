"""What every Evidence promises, as tests. An adapter is done when a subclass of this suite passes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import pytest

from vitrify.core.diagnostic import VitrifyError
from vitrify.ports import Evidence, Image, Made


@dataclass(frozen=True)
class Case:
    """An adapter over a store with one image in it that nobody certified, what it was made from, and a hand that alters its bytes."""

    evidence: Evidence
    image: Image
    made: Made
    alter: Callable[[], None]


class EvidenceSuite:
    """Subclass it, and give it a fixture `case` of type `Case`."""

    def test_what_was_certified_holds(self, case: Case) -> None:
        case.evidence.certify(case.image, case.made)
        assert all(verdict.holds for verdict in case.evidence.verify(case.image.digest))

    def test_an_image_that_nobody_certified_is_told_to_be_one(self, case: Case) -> None:
        broken = [verdict for verdict in case.evidence.verify(case.image.digest) if not verdict.holds]
        assert broken
        assert all(verdict.found == "none is attached" for verdict in broken)

    def test_certifying_again_changes_nothing(self, case: Case) -> None:
        case.evidence.certify(case.image, case.made)
        first = case.evidence.verify(case.image.digest)
        case.evidence.certify(case.image, case.made)
        assert case.evidence.verify(case.image.digest) == first

    def test_bytes_that_were_altered_since_are_found(self, case: Case) -> None:
        case.evidence.certify(case.image, case.made)
        case.alter()
        assert any(not verdict.holds for verdict in case.evidence.verify(case.image.digest))

    def test_an_image_that_is_not_here_is_told_with_what_to_do(self, case: Case) -> None:
        with pytest.raises(VitrifyError, match="is not here") as missing:
            case.evidence.verify("sha256:" + "0" * 64)
        assert missing.value.diagnostics[0].hint
