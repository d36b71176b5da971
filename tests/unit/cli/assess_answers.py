"""What the application of these tests answers about what its servers cost."""

from __future__ import annotations

from abc import abstractmethod
from dataclasses import replace

from vitrify.core.assess.advice import advice
from vitrify.core.assess.assessment import Assessment
from vitrify.core.assess.figure import Known, Unknown
from vitrify.core.assess.measured import Measured
from vitrify.core.declaration import Lifecycle

DAY = 86_400.0
DB = Measured(
    "db",
    Lifecycle.MUTABLE,
    drift=Known(0.0667, 4),
    unauthorised=Known(4.0, 4, told="1 of them not put right yet"),
    patched=Known(94 * DAY, 2, told="12 behind, 3 for security"),
    change=Known(12.3, 9, 61.0),
    back=Unknown("nothing was undone in the last 30 days"),
    extra=Known(0.0, told="changed where it stands"),
    size=Known(2_345.0, 9, 80_000.0),
    opaque=Known(0.31, 42, told="13 of 42"),
    security=3,
    obstacles=("cannot act while an image is baked: swap:/swapfile", "holds state that nobody declared: /srv/app/uploads"),
)
MAIL = replace(
    DB,
    server="mail",
    drift=Unknown("the ledger tells of no look at it in the last 30 days"),
    unauthorised=Unknown("the ledger tells of no look at it in the last 30 days"),
    patched=Unknown("mail1 cannot be reached"),
    change=Unknown("nothing was changed in place in the last 30 days"),
    size=Unknown("nothing was changed in place in the last 30 days"),
    opaque=Unknown("nothing was changed in place in the last 30 days"),
    security=0,
    obstacles=(),
)
WEB = Measured(
    "web",
    Lifecycle.IMMUTABLE,
    drift=Known(0.0, 0),
    unauthorised=Known(0.0, 0),
    patched=Known(2 * DAY),
    change=Known(4.1, 17, 9.0),
    back=Known(0.124, 2, 0.13),
    extra=Known(1.0, told="2 more, by blue-green, and those before kept warm for 10 min"),
    size=Known(3_500_000.0, 17, 91_000_000.0),
    opaque=Known(0.0, 80, told="0 of 80"),
)
SERVERS = (DB, MAIL, WEB)


class AssessAnswers:
    """Answers that depend on nothing but the question."""

    assessed_is = Assessment(30, 1_800_000_000.0, 214, SERVERS, advice(SERVERS), project="shop")

    @abstractmethod
    def _called(self, name: str, /, **arguments: object) -> None: ...

    def assess(self, *, days: int) -> Assessment:
        self._called("assess", days=days)
        return self.assessed_is
