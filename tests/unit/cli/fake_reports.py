"""The part of an application that answers what a test wants which is about reporting an audit."""

from __future__ import annotations

from tests.unit.cli.fake_serve import FakeServe

from vitrify.core.audit_report.report import Report
from vitrify.core.drift import Audit
from vitrify.core.trend import ServerTrend, Spread, Trend
from vitrify.project import whole_file

DAYS = (("2027-01-13", 0), ("2027-01-14", 3), ("2027-01-15", 1))
TREND = (
    ServerTrend("db", 4, 1, Spread(4, 90.0, 7_200.0), Spread(3, 3_600.0, 172_800.0), DAYS),
    ServerTrend("web", 0, 0, None, None, DAYS[:0]),
)


class FakeReports(FakeServe):
    """Reports what it is given, and writes to real files."""

    def reported(self, audit: Audit, *, days: int) -> Report:
        self.calls.append(("reported", {"days": days}))
        return Report(audit, "shop", "0.1.0", 1_800_000_000.0, Trend(days, TREND) if days else Trend())

    def writable(self, path: str) -> None:
        whole_file.writable(path)

    def write(self, text: str, path: str) -> None:
        self.calls.append(("write", {"path": path}))
        if found := self.fails_in.get("write"):
            raise found
        whole_file.write(text, path)
