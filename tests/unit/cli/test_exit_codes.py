"""Every error has its exit code, and each code its meaning."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from vitrify.cli.exits import MEANINGS, Exit, ended, exit_for
from vitrify.core import diagnostic
from vitrify.core.diagnostic import (
    Busy,
    ConfirmationNeeded,
    DeclarationInvalid,
    Denied,
    Diagnostic,
    IntegrityFailed,
    PlanStale,
    PreviousStillServing,
    PythonMissing,
    TargetFailed,
    TargetUnreachable,
    UsageInvalid,
    VitrifyError,
)
from vitrify.core.drift import Audit
from vitrify.core.plan import HostProblem, Plan
from vitrify.core.report import Applied, Check

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

TABLE: dict[type[VitrifyError], int] = {
    VitrifyError: 1,
    PlanStale: 1,
    TargetFailed: 3,
    TargetUnreachable: 4,
    PythonMissing: 4,
    Denied: 5,
    Busy: 6,
    PreviousStillServing: 7,
    IntegrityFailed: 8,
    UsageInvalid: 64,
    ConfirmationNeeded: 64,
    DeclarationInvalid: 65,
}


def _error(kind: type[VitrifyError]) -> VitrifyError:
    if kind is PythonMissing:
        return PythonMissing("it broke", manager="apk")
    return DeclarationInvalid([Diagnostic("it broke")]) if kind is DeclarationInvalid else kind("it broke")


@pytest.mark.parametrize("kind", TABLE, ids=lambda kind: kind.__name__)
def test_every_error_ends_with_its_code(console: Console, kind: type[VitrifyError]) -> None:
    console.app.error = _error(kind)

    ended = console("status")

    assert int(ended.code) == TABLE[kind]
    assert "error: it broke" in ended.err
    assert not ended.out


def test_no_error_class_is_missing_from_the_table() -> None:
    known = {value for value in vars(diagnostic).values() if isinstance(value, type) and issubclass(value, VitrifyError)}

    assert known == set(TABLE)


def test_every_code_has_a_meaning() -> None:
    assert set(MEANINGS) == set(Exit)
    assert exit_for(ValueError()) is Exit.FAILED


def test_changes_are_an_exit_code_only_where_asked_for(console: Console, mixed_plan: Plan, empty_plan: Plan) -> None:
    console.app.plan_is = mixed_plan
    assert console("plan").code is Exit.DONE
    assert console("plan", "--detailed-exitcode").code is Exit.CHANGES

    console.app.plan_is = empty_plan
    assert console("plan", "--detailed-exitcode").code is Exit.DONE


def test_only_what_nobody_allowed_counts_as_drift(console: Console, drift: Audit) -> None:
    from dataclasses import replace

    console.app.audit_is = drift
    assert console("audit").code is Exit.DONE
    assert console("audit", "--detailed-exitcode").code is Exit.CHANGES

    console.app.audit_is = replace(drift, findings=drift.findings[2:])
    assert console("audit", "--detailed-exitcode").code is Exit.DONE


def test_a_baseline_that_was_rewritten_is_a_matter_of_integrity_whatever_else_was_found(console: Console, drift: Audit) -> None:
    from dataclasses import replace

    found = replace(drift.findings[1], path="/srv", evidence="baseline", entry=17)
    console.app.audit_is = replace(drift, findings=(*drift.findings, found))

    assert console("audit").code is console("audit", "--detailed-exitcode").code is Exit.INTEGRITY


def test_a_host_that_failed_half_way_is_an_exit_code(console: Console, half_done: Applied) -> None:
    console.app.applied_is = half_done

    assert console("apply", "-y").code is Exit.HOSTS_FAILED


def test_a_machine_that_lacks_something_fails_the_doctor(console: Console) -> None:
    console.app.checks_are = (Check("python", "ok", "3.11"), Check("systemd", "note", "not running"))
    assert console("doctor").code is Exit.DONE

    console.app.checks_are = (Check("bubblewrap", "missing", "not found"),)
    assert console("doctor").code is Exit.FAILED


def test_a_mistyped_command_line_is_usage_and_not_drift(console: Console) -> None:
    ended = console("plan", "--bogus")

    assert ended.code is Exit.USAGE
    assert ended.err.startswith("error: No such option '--bogus'")
    assert "hint: `vitrify plan -h` explains it" in ended.err


def test_a_mistyped_verb_is_usage_and_names_the_near_one(console: Console) -> None:
    ended = console("aplly")

    assert ended.code is Exit.USAGE
    assert ended.err.startswith("error: There is no verb 'aplly'. Did you mean 'apply'?")


def test_an_unforeseen_error_leaves_a_report_instead_of_a_traceback(console: Console, tmp_path: object) -> None:
    from pathlib import Path

    console.app.error = RuntimeError("the sky fell\nin two lines")

    ended = console("status", "--var", "password=hunter2", environ={"VITRIFY_HOME": str(tmp_path)})

    (report,) = Path(str(tmp_path)).rglob("*.txt")
    assert ended.code is Exit.FAILED
    assert ended.err == f"error: vitrify failed unexpectedly: RuntimeError: the sky fell; a report is in {report}\n"
    assert "Traceback" in report.read_text()
    assert "hunter2" not in report.read_text()
    assert report.stat().st_mode & 0o777 == 0o600


def test_an_unforeseen_error_is_told_even_where_no_report_can_be_written(console: Console) -> None:
    console.app.error = RuntimeError("the sky fell")

    ended = console("status", environ={"VITRIFY_HOME": "/dev/null/nowhere"})

    assert ended.code is Exit.FAILED
    assert "no report could be written" in ended.err


def test_an_interruption_ends_cleanly(console: Console) -> None:
    console.app.error = KeyboardInterrupt()

    ended = console("status")

    assert ended.code is Exit.INTERRUPTED
    assert "Stopped." in ended.err


def test_a_command_that_failed_inside_an_instance_fails_the_exec_and_says_what_became_of_it(console: Console) -> None:
    ended = console("exec", "web", "--break-glass", "why", "--", "false", "-o", "json")

    name, given = console.app.calls[-1]
    assert ended.code is Exit.FAILED
    assert (name, given["command"], given["reason"]) == ("enter", ("false", "-o", "json"), "why")
    assert "the command ended with 3, ledger entry 7" in ended.out
    assert "web-2" in ended.out


def test_hosts_that_somebody_else_is_changing_are_told_apart_from_failed_ones() -> None:
    busy, away = HostProblem("web", "a", "busy", busy=True), HostProblem("web", "b", "no answer", unreachable=True)

    assert ended(Applied(problems=(busy,))) is Exit.BUSY
    assert ended(Applied(problems=(busy, away))) is Exit.UNREACHABLE
    assert ended(Applied(problems=(busy, HostProblem("web", "c", "failed")))) is Exit.HOSTS_FAILED
