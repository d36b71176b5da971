"""The forms of a report, each read by a parser that is not ours, and each with names that mean harm."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree as ET

import pytest
from syrupy.assertion import SnapshotAssertion

from vitrify.core.audit_report.forms import FORMS
from vitrify.core.audit_report.report import Report, row, spoken_time
from vitrify.core.digest import JSONObject
from vitrify.core.drift import Audit, Class, Finding
from vitrify.core.plan import HostProblem
from vitrify.core.trend import ServerTrend, Spread, Trend

EVIL = "/srv/a\n\x1b[31m<script src=//x>alert(1)</script>&\udcff]]>\"'\u202e\uffff\tend"
WRITTEN = 1_799_996_400
FINDINGS = (
    Finding("web", "web-4-a", "/etc/passwd", "changed", ("size 1200 -> 1260", "content differs"), Class.UNAUTHORISED, "overlay",
            modified_at=WRITTEN, owner="root", answer="replace"),
    Finding("db", "db-1", EVIL, "added", ("file", EVIL), Class.UNAUTHORISED, "sweep", modified_at=2**61, owner="1000", answer="report"),
    Finding("db", "db-1", "service:postgresql", "changed", ("running False",), Class.UNAUTHORISED, "resource", answer="re-converge"),
    Finding("db", "db-1", "/etc/tuning.conf", "removed", (), Class.AUTHORISED, "resource", entry=17),
    Finding("db", "db-1", "/usr/bin/curl", "changed", ("content differs",), Class.PACKAGE_MANAGER, "sweep"),
)  # fmt: skip
TREND = Trend(2, (ServerTrend("db", 3, 1, Spread(3, 90.0, 7_200.0), Spread(2, 60.0, 172_800.0), (("2027-01-14", 1), ("2027-01-15", 2))),))


def _report(*findings: Finding, trend: Trend = TREND) -> Report:
    return Report(Audit(findings, 143, 20_412, 2, 1.24), "shop", "0.1.0", 1_800_000_000.0, trend)


REPORT = _report(*FINDINGS)


@pytest.mark.parametrize("form", sorted(FORMS))
def test_a_form_stays_as_it_is(form: str, snapshot: SnapshotAssertion) -> None:
    assert FORMS[form](REPORT) == snapshot


@pytest.mark.parametrize("form", sorted(FORMS))
def test_no_name_reaches_a_terminal_or_a_strict_reader_as_more_than_text(form: str) -> None:
    text = FORMS[form](REPORT)

    text.encode()  # halves of surrogate pairs have no bytes
    assert not {char for char in text if char not in "\n\t" and (ord(char) < 32 or 0x7F <= ord(char) < 0xA0)}
    assert not set(text) & {"\u202e", "\uffff"}


@pytest.mark.parametrize("form", ["ndjson", "ocsf"])
def test_a_line_is_a_document_of_unicode(form: str) -> None:
    for each in FORMS[form](REPORT).splitlines():
        json.dumps(json.loads(each), ensure_ascii=False).encode()


# -- SARIF: the rules of the published schema and of the standard's text that bear on what is written -------------------


# The schema takes no other property on any of these.
_PROPERTIES = {
    "run": {"tool", "automationDetails", "invocations", "columnKind", "originalUriBaseIds", "results", "properties", "artifacts"},
    "driver": {"name", "version", "rules", "informationUri", "semanticVersion", "fullName"},
    "rule": {"id", "name", "shortDescription", "fullDescription", "help", "helpUri", "defaultConfiguration", "properties"},
    "result": {"ruleId", "ruleIndex", "kind", "level", "message", "locations", "partialFingerprints", "properties", "suppressions"},
    "location": {"physicalLocation", "logicalLocations", "message", "id"},
}


def test_sarif_has_no_property_that_its_schema_does_not_know() -> None:
    run = _run(REPORT)

    assert set(run) <= _PROPERTIES["run"]
    assert set(run["tool"]["driver"]) <= _PROPERTIES["driver"]
    assert all(set(rule) <= _PROPERTIES["rule"] for rule in run["tool"]["driver"]["rules"])
    assert all(set(result) <= _PROPERTIES["result"] for result in run["results"])
    assert all(set(place) <= _PROPERTIES["location"] for result in run["results"] for place in result["locations"])
    assert all(type(each["executionSuccessful"]) is bool for each in run["invocations"])
    assert run["columnKind"] in {"utf16CodeUnits", "unicodeCodePoints"}


def _run(report: Report) -> dict[str, Any]:
    log = json.loads(FORMS["sarif"](report))
    assert set(log) == {"$schema", "version", "runs"}
    assert log["version"] == "2.1.0"
    (run,) = log["runs"]
    return dict(run)


def test_every_result_of_sarif_has_a_message_a_rule_of_the_driver_and_a_place() -> None:
    run = _run(REPORT)
    driver = run["tool"]["driver"]
    rules = [rule["id"] for rule in driver["rules"]]

    assert driver["name"] == "vitrify"
    assert len(rules) == len(set(rules))
    assert len(run["results"]) == len(FINDINGS)
    for result in run["results"]:
        assert result["message"]["text"]
        assert rules[result["ruleIndex"]] == result["ruleId"]
        assert result["level"] in {"none", "note", "warning", "error"}
        assert (result["level"] == "none") is (result["kind"] != "fail")
        assert re.fullmatch("[0-9a-f]{64}", result["partialFingerprints"]["finding/v1"])


def test_a_path_in_sarif_is_a_uri_that_gives_back_its_bytes() -> None:
    run = _run(REPORT)
    places = [place for result in run["results"] for place in result["locations"]]
    files = [place["physicalLocation"]["artifactLocation"] for place in places if "physicalLocation" in place]

    assert all(re.fullmatch(r"(?:[A-Za-z0-9._~/-]|%[0-9A-F]{2})+", each["uri"]) for each in files)
    assert all(each["uriBaseId"] in run["originalUriBaseIds"] for each in files)
    assert EVIL.encode("utf-8", "surrogateescape") in {b"/" + unquote_to_bytes(each["uri"]) for each in files}
    assert any("physicalLocation" not in place for place in places)


def test_sarif_of_an_audit_that_found_nothing_has_no_result_and_not_no_results() -> None:
    assert _run(_report())["results"] == []


# -- JUnit --------------------------------------------------------------------------------------------------------------


def test_the_numbers_of_junit_are_those_of_its_cases() -> None:
    root = ET.fromstring(FORMS["junit"](REPORT))  # noqa: S314  our own document

    assert root.tag == "testsuites"
    assert (root.get("tests"), root.get("failures")) == (str(len(root.findall(".//testcase"))), str(len(root.findall(".//failure"))))
    assert len(root.findall(".//failure")) == 3
    for suite in root:
        assert suite.get("tests") == str(len(suite.findall("testcase")))
        assert suite.get("failures") == str(len(suite.findall("testcase/failure")))
        assert all(case.get("name") and case.get("classname") for case in suite)


def test_junit_holds_a_hostile_name_as_text() -> None:
    names = [str(case.get("name")) for case in ET.fromstring(FORMS["junit"](REPORT)).iter("testcase")]  # noqa: S314  our own document

    assert any("\\x0a\\x1b[31m<script src=//x>alert(1)</script>&\\udcff]]>\"'\\u202e\\uffff" in name for name in names)


def test_junit_of_an_audit_that_found_nothing_has_the_look_as_its_case() -> None:
    (case,) = ET.fromstring(FORMS["junit"](_report())).iter("testcase")  # noqa: S314  our own document

    assert case.get("name") == "looked at 143 resources, 20412 paths, 2 instances"
    assert len(case) == 0


# -- OCSF ---------------------------------------------------------------------------------------------------------------


def test_an_event_of_ocsf_has_what_its_class_requires() -> None:
    events = [json.loads(each) for each in FORMS["ocsf"](REPORT).splitlines()]

    assert len(events) == len(FINDINGS)
    for event in events:
        assert (event["category_uid"], event["class_uid"], event["activity_id"], event["type_uid"]) == (2, 2004, 1, 200401)
        assert event["metadata"]["version"] == "1.4.0"
        assert event["metadata"]["product"]["vendor_name"]
        assert event["finding_info"]["uid"]
        assert event["finding_info"]["title"]
        assert event["severity_id"] in range(1, 6)
        assert event["is_alert"] is (event["status_id"] == 1)
        for file in (each["file"] for each in event["evidences"] if "file" in each):
            assert file["name"]
            assert file["type_id"] in range(8)


# -- HTML ---------------------------------------------------------------------------------------------------------------

_VOID = {"meta", "br", "rect"}


class _Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in _VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        if tag not in _VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)


def _attributes(page: _Page) -> Iterator[tuple[str, str | None]]:
    for _, attributes in page.tags:
        yield from attributes.items()


def test_the_page_stands_alone_and_runs_nothing() -> None:
    text = FORMS["html"](REPORT)
    page = _Page(text)

    assert not page.open
    assert not {tag for tag, _ in page.tags} & {"script", "link", "img", "iframe", "object", "embed", "base", "form", "a"}
    assert not {name for name, _ in _attributes(page) if name.startswith("on") or name in ("src", "href", "style", "action")}
    assert not re.search(r"url\(|@import|https?:", text)
    assert "default-src 'none'" in text


def test_the_page_says_it_all_in_both_schemes_and_on_paper() -> None:
    text = FORMS["html"](REPORT)

    assert "prefers-color-scheme: dark" in text
    assert "@media print" in text
    assert any("<script src=//x>alert(1)</script>&\\udcff]]>\"'\\u202e" in each for each in _Page(text).texts)
    assert "3 unauthorised, 2 allowed" in text


def test_the_page_of_an_audit_that_found_nothing_says_so() -> None:
    assert "Nothing unauthorised" in FORMS["html"](_report(trend=Trend()))


# -- what a finding may tell besides ------------------------------------------------------------------------------------


class _Graded(Finding):
    """A finding that tells how severe it is and who it was, as one of another day might."""

    def to_json(self) -> JSONObject:
        return {**super().to_json(), "severity": "critical", "about": "who may become root", "who": "ada (uid 1000) with /usr/bin/vi"}


def test_what_a_finding_tells_of_severity_and_of_who_is_passed_on() -> None:
    report = _report(_Graded("web", "web-1", "/etc/sudoers", "changed", (), Class.UNAUTHORISED, "audit"))

    (event,) = FORMS["ocsf"](report).splitlines()
    assert json.loads(event)["severity"] == "Critical"
    assert json.loads(event)["evidences"][0]["data"]["who"] == "ada (uid 1000) with /usr/bin/vi"
    assert '"severity": "critical"' in FORMS["sarif"](report)
    assert "critical" in FORMS["html"](report)
    assert "who may become root" in FORMS["junit"](report)


def test_the_same_difference_has_the_same_fingerprint_at_each_look() -> None:
    before = Finding("web", "web-1", "/a", "changed", ("size 1 -> 2",), Class.UNAUTHORISED, "sweep", modified_at=1)
    later = Finding("web", "web-1", "/a", "changed", ("size 1 -> 3",), Class.UNAUTHORISED, "sweep", modified_at=9)
    other = Finding("web", "web-2", "/a", "changed", (), Class.UNAUTHORISED, "sweep")

    assert row(before).fingerprint == row(later).fingerprint != row(other).fingerprint


def test_half_a_surrogate_pair_that_stands_for_no_byte_breaks_no_form() -> None:
    finding = Finding("web", "web-1", "/\ud800", "added", ("\ud800",), Class.UNAUTHORISED, "sweep", owner="\ud800")

    assert all(form(_report(finding)) for form in FORMS.values())


def test_a_time_that_no_calendar_knows_is_told_as_a_number() -> None:
    assert spoken_time(2**61) == "2305843009213693952 s after 1970"


# -- what could not be looked at ----------------------------------------------------------------------------------------


def test_a_host_that_could_not_be_looked_at_is_no_host_without_drift() -> None:
    problem = HostProblem("db", "db-2", "cannot be <reached>", unreachable=True)
    report = replace(REPORT, audit=replace(REPORT.audit, findings=(), problems=(problem,)))

    junit = ET.fromstring(FORMS["junit"](report))  # noqa: S314  our own document
    (run,) = json.loads(FORMS["sarif"](report))["runs"][0]["invocations"]

    assert junit.get("errors") == str(len(junit.findall(".//error"))) == "1"
    assert not run["executionSuccessful"]
    assert "db on db-2: cannot be <reached>" in run["toolExecutionNotifications"][0]["message"]["text"]
    assert "x not looked at: db on db-2: cannot be <reached>" in _Page(FORMS["html"](report)).texts
    assert 'class="verdict good"' not in FORMS["html"](report)
    assert json.loads(FORMS["ndjson"](report))["problems"][0]["host"] == "db-2"
