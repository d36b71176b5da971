"""What holds for every lane: in required mode a skip is a failure, and tests that need root wait for root."""

from __future__ import annotations

import gc
import os
import signal
from collections.abc import Iterator

import pytest

# Thousands of tests are collected and kept: looking for garbage among them again and again takes longer than many of them.
gc.set_threshold(200_000, 50, 50)

REQUIRED = os.environ.get("VITRIFY_REQUIRE_ALL") == "1" or os.environ.get("CI") == "true"
NOTE = "note"
"""`record_property(NOTE, line)` in a test prints that line at the end of the run."""


class Everything:
    """Collects what did not run, and what tests want to be read; in required mode turns a skip into a failed run."""

    def __init__(self) -> None:
        self.skipped: dict[str, str] = {}
        self.notes: list[str] = []

    def pytest_report_header(self) -> str:
        """Say what this run is worth."""
        root = "" if os.geteuid() == 0 else "; not root: tests that need root are left out"
        return f"vitrify: {'every test is required' if REQUIRED else 'tests that lack a tool are skipped'}{root}"

    @pytest.hookimpl(tryfirst=True)
    def pytest_collection_modifyitems(self, config: pytest.Config, items: list[pytest.Item]) -> None:
        """Leave out the tests that only root can pass, where we are not root."""
        if os.geteuid() == 0:
            return
        left_out = [item for item in items if item.get_closest_marker("root")]
        items[:] = [item for item in items if item not in left_out]
        config.hook.pytest_deselected(items=left_out)

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Note a skip (an expected failure is none) and what a test wants to say."""
        if report.skipped and not hasattr(report, "wasxfail"):
            self.skipped[report.nodeid] = _reason(report)
        if report.when == "call":
            self.notes += [str(line) for name, line in report.user_properties if name == NOTE]

    def pytest_collectreport(self, report: pytest.CollectReport) -> None:
        """Note a whole file that was skipped."""
        if report.skipped:
            self.skipped[report.nodeid] = _reason(report)

    @pytest.hookimpl(wrapper=True, tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session) -> Iterator[None]:
        """Everything is required: then nothing may have been skipped."""
        yield
        if REQUIRED and self.skipped and session.exitstatus == pytest.ExitCode.OK:
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """The notes, and what did not run."""
        for note in sorted(self.notes):
            terminalreporter.write_line(note)
        if REQUIRED and self.skipped:
            terminalreporter.section("every lane is required, but these did not run", sep="=", red=True)
            for name, reason in sorted(self.skipped.items()):
                terminalreporter.write_line(f"{name}: {reason}")


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    return str(report.longrepr[2]) if isinstance(report.longrepr, tuple) else str(report.longrepr)


def pytest_configure(config: pytest.Config) -> None:
    """One collector; with xdist the workers' reports come together in the controlling process."""
    config.pluginmanager.register(Everything(), "vitrify-everything")
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        # Whoever is started in the background by a script ignores it, and so would every command that a test interrupts.
        signal.signal(signal.SIGINT, signal.default_int_handler)
