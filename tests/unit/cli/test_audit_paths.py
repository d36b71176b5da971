"""What is known of a path is told; a difference is accepted after a question, for a reason."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import date
from typing import TYPE_CHECKING

from vitrify.cli.exits import Exit
from vitrify.core.drift import Audit, Class, Finding
from vitrify.core.noise import Noise
from vitrify.core.severity import Severity

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console

LOG = Finding("web", "local", "/var/log/x", "added", ("file",), Class.NOISE, "sweep", why="/var/log/**: logs grow")
KEYS = Finding(
    *("web", "local", "/root/.ssh/authorized_keys", "added", ("file",), Class.UNAUTHORISED, "sweep"),
    modified_at=1_000_000_000,
    changed_at=1_799_999_000,
    severity=Severity.CRITICAL,
    about="who is let in",
)


def test_a_path_is_told_with_its_package_resources_entries_and_rules(console: Console) -> None:
    ended = console("audit", "explain", "/etc/motd")

    assert ended.code is Exit.DONE
    for told in (
        "/etc/motd on local for web",
        "a finding",
        "app 1.0: gone",
        "file:/etc/motd",
        "finding: changed",
        "/etc/** (any, until 2027",
    ):
        assert told in ended.out
    assert json.loads(console("audit", "explain", "/etc/motd", "-o", "json").out)["hosts"][0]["now"]["mode"] == "0666"


def test_nothing_is_accepted_without_a_reason(console: Console) -> None:
    refused = console("audit", "accept", "/etc/motd", "-y")
    accepted = console("audit", "accept", "/etc/motd", "--reason", "the new proxy", "-y")

    assert (refused.code, accepted.code) == (Exit.USAGE, Exit.DONE)
    assert "for a reason" in refused.err
    assert "ledger entry 7" in accepted.out


def test_noise_is_counted_and_shown_when_somebody_asks(console: Console) -> None:
    console.app.audit_is = Audit((LOG,), 1, 2, 0)

    assert "/var/log/x" not in console("audit").out
    assert "1 difference by declared noise; --noise shows them." in console("audit").out
    assert "/var/log/**: logs grow" in console("audit", "--noise").out


def test_what_is_critical_stands_in_the_first_line_and_a_stamp_that_was_set_is_told(console: Console) -> None:
    console.app.audit_is = Audit((KEYS,), 1, 2, 0)

    told = console("audit").out

    assert "critical: who is let in" in told
    assert "written 2001-09-09 01:46:40Z, changed 2027-01-15 07:43:20Z by the kernel's own time" in told
    assert "not known, because no watch was on" in console("audit", "-v").out


def test_a_rule_that_is_over_and_a_folder_without_a_baseline_are_told(console: Console) -> None:
    over = Noise("/etc/x", "a reason", date(2026, 1, 1))
    console.app.audit_is = replace(Audit((), 1, 2, 0), lapsed=(over,), unrecorded=("/usr",))

    told = console("audit").out

    assert "over since 2026-01-01" in told
    assert "vitrify audit accept /usr --reason TEXT" in told
