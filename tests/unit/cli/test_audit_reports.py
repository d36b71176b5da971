"""`vitrify audit --report` and `--trend`: written whole, before the command ends, and never instead of how it ends."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import pytest
from syrupy.assertion import SnapshotAssertion
from tests.unit.cli.conftest import Console

from vitrify.cli.exits import Exit
from vitrify.core.audit_report.forms import FORMS
from vitrify.core.diagnostic import VitrifyError
from vitrify.core.drift import Audit, Class, Finding


@pytest.mark.parametrize("form", sorted(FORMS))
def test_each_form_is_written_beside_what_is_shown(console: Console, drift: Audit, tmp_path: Path, form: str) -> None:
    console.app.audit_is = drift
    shown = console("audit").out

    ended = console("audit", "--report", f"{form}={tmp_path / 'found'}")

    assert ended.out == shown
    assert f"({form})" in ended.err
    assert "/etc/motd" in (tmp_path / "found").read_text() or form == "sarif"
    assert [path.name for path in tmp_path.iterdir()] == ["found"]


def test_a_report_leaves_the_exit_code_as_it_is(console: Console, drift: Audit, tmp_path: Path) -> None:
    console.app.audit_is = drift
    reports = ("--report", f"html={tmp_path / 'a.html'}", "--report", f"json={tmp_path / 'a.json'}")

    assert console("audit", *reports).code is Exit.DONE
    assert console("audit", "--detailed-exitcode", *reports).code is Exit.CHANGES
    assert json.loads((tmp_path / "a.json").read_text())["unauthorised"] == 2
    assert (tmp_path / "a.html").is_file()


def test_a_report_that_could_not_be_written_fails_the_command(console: Console, drift: Audit, tmp_path: Path) -> None:
    console.app.audit_is = drift
    console.app.fails_in["write"] = VitrifyError("a.html was not written", why="No space left on device")

    ended = console("audit", "--detailed-exitcode", "--report", f"html={tmp_path / 'a.html'}")

    assert ended.code is Exit.FAILED
    assert "No space left on device" in ended.err


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ("sarfi=x", "Did you mean 'sarif'?"),
        ("audit.html", "is not one of html, json"),
        ("html=", "names no file: html=FILE"),
        ("html=/nowhere/at/all.html", "there is no folder /nowhere/at"),
        ("html=/dev/null", "/dev/null is no file"),
    ],
)
def test_what_cannot_be_written_is_told_before_anybody_looks(console: Console, given: str, told: str) -> None:
    ended = console("audit", "--report", given)

    assert ended.code is Exit.USAGE
    assert told in ended.err
    assert "audit" not in console.app.asked


def test_one_file_is_not_two_reports(console: Console) -> None:
    ended = console("audit", "--report", "html=x", "--report", "json=x")

    assert ended.code is Exit.USAGE
    assert "'x' cannot be html and json" in ended.err


def test_the_variable_names_several(console: Console, tmp_path: Path) -> None:
    ended = console("audit", environ={"VITRIFY_REPORT": f"html={tmp_path / 'a'} junit={tmp_path / 'b'}"})

    assert ended.code is Exit.DONE
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "b"]


def test_the_trend_stands_above_the_findings_and_in_the_document(console: Console, drift: Audit, snapshot: SnapshotAssertion) -> None:
    console.app.audit_is = replace(drift, findings=())

    assert console("audit", "--trend", "7").out == snapshot
    assert json.loads(console("audit", "--trend", "7", "-o", "json").out)["trend"]["servers"][0]["repair"]["median_s"] == 3600
    assert "trend" not in json.loads(console("audit", "-o", "json").out)


def test_the_ledger_is_read_for_a_trend_and_for_a_page_alone(console: Console, tmp_path: Path) -> None:
    console("audit", "--report", f"sarif={tmp_path / 'a'}")
    console("audit", "--report", f"html={tmp_path / 'b'}")
    console("audit", "--report", f"html={tmp_path / 'b'}", "--trend", "7")

    assert [asked["days"] for name, asked in console.app.calls if name == "reported"] == [0, 0, 30, 7]


def test_many_findings_of_many_places_say_what_they_share_once(console: Console, snapshot: SnapshotAssertion) -> None:
    at = 1_799_990_000
    findings = [
        found
        for number, host in enumerate(("web-1", "web-2", "web-3"))
        for found in (
            Finding("web", host, "/etc/nginx/nginx.conf", "changed", ("content differs", "size 1490 -> 1533"), Class.UNAUTHORISED, "sweep",
                    modified_at=at + 77 * number, owner="0", answer="re-converge"),
            Finding("web", host, "/etc/nginx/conf.d/x.conf", "added", ("file",), Class.UNAUTHORISED, "sweep", owner="0", answer="report"),
            Finding("web", host, "service:nginx", "changed", ("running False",), Class.UNAUTHORISED, "resource", answer="re-converge"),
            Finding("web", host, "/etc/motd", "changed", ("the declaration changed",), Class.AUTHORISED, "resource", entry=14),
        )
    ]  # fmt: skip
    findings += [
        Finding("shop", "shop-7-a", f"/srv/cache/{each}.js", "added", ("file",), Class.UNAUTHORISED, "overlay",
                modified_at=at + (60 if each == 5 else 0), owner="33", answer="replace")
        for each in range(18)
    ]  # fmt: skip
    console.app.audit_is = Audit(tuple(findings), resources=143, entries=20_412, instances=1, seconds=1.24)

    out = console("audit", environ={"COLUMNS": "100"}).out

    assert out == snapshot
    assert out.count("replaces the instance") == out.count("web-2") == 1
    assert len(out.splitlines()) < len(findings) + 30
