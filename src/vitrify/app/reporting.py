"""An audit with its occasion: which project, when, and what the ledger tells of the days before."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

from vitrify import __version__
from vitrify.core.audit_report.report import Report
from vitrify.core.trend import Told, Trend, trend
from vitrify.lifecycle.attempts import moment

if TYPE_CHECKING:
    from vitrify.app.wiring import Wiring
    from vitrify.core.declaration import Server
    from vitrify.core.drift import Audit


def report(audit: Audit, servers: Sequence[Server], wiring: Wiring, *, days: int) -> Report:
    """Nothing is read of the ledger for 0 days."""
    now = time.time()
    told = (Told(entry.kind, moment(entry.at), dict(entry.body)) for entry in wiring.world.ledger.entries(0)) if days else ()
    names = [server.name for server in servers]
    seen = trend(told, servers=names, days=days, now=now) if days else Trend()
    return Report(audit, wiring.declaration.project, __version__, now, seen)
