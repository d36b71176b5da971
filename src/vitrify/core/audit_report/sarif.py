"""SARIF 2.1.0: what code-scanning screens read. A rule for each sort of change, a result for each finding."""

from __future__ import annotations

import json
from urllib.parse import quote

from vitrify.core.audit_report.report import Report, Row, graded
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.readable import raw_bytes

SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_RULES = {
    "added": "Something is there that was not declared.",
    "changed": "Something is not as it was last applied or baked.",
    "removed": "Something that was declared is not there.",
}
_OTHER = "Something differs from what was declared and authorised."
_LEVELS = {"critical": "error", "high": "error", "medium": "warning", "low": "note"}


def sarif(report: Report) -> str:
    """The one log, with one run. Paths are relative to the base of their place: its files are on another machine, or in an instance."""
    rows = report.rows
    rules = sorted({found.change for found in rows})
    places: dict[str, JSON] = {
        found.place: {"description": {"text": f"the file system of {found.where}, where the server {found.server} is"}} for found in rows
    }
    run: JSONObject = {
        "tool": {"driver": {"name": "vitrify", "version": report.version, "rules": [_rule(name) for name in rules]}},
        "automationDetails": {"id": f"vitrify/audit/{quote(report.project, safe='')}/"},
        "invocations": [_invocation(report)],
        "columnKind": "unicodeCodePoints",
        "originalUriBaseIds": places,
        "results": [_result(found, rules.index(found.change)) for found in rows],
        "properties": {"looked": report.looked, "unauthorised": len(report.audit.unauthorised)},
    }
    return json.dumps({"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}, indent=2) + "\n"


def _invocation(report: Report) -> JSONObject:
    unseen: list[JSON] = [{"level": "error", "message": {"text": f"not looked at: {each}"}} for each in report.unseen]
    notes: JSONObject = {"toolExecutionNotifications": unseen} if unseen else {}
    return {"executionSuccessful": not unseen, "endTimeUtc": report.time, **notes}


def _rule(change: str) -> JSONObject:
    text = _RULES.get(change, _OTHER)
    return {
        "id": f"drift/{change}",
        "name": f"Drift{change.capitalize()}",
        "shortDescription": {"text": text},
        "help": {"text": f"{text} `vitrify audit` tells where and on which evidence; `vitrify apply` puts back what it owns."},
        "defaultConfiguration": {"level": "error"},
        "properties": {"tags": ["security", "integrity", "drift"]},
    }


def _result(found: Row, rule: int) -> JSONObject:
    # What somebody had leave for is no problem: by the standard such a result has no level.
    kind, level = ("informational", "none") if found.allowed else ("fail", _LEVELS[graded(found)])
    return {
        "ruleId": f"drift/{found.change}",
        "ruleIndex": rule,
        "kind": kind,
        "level": level,
        "message": {"text": f"{found.place}: {found.title} ({found.classed.value}). {'; '.join(found.told)}."},
        "locations": [_location(found)],
        "partialFingerprints": {"finding/v1": found.fingerprint},
        "properties": {"class": found.classed.value, "severity": graded(found), "evidence": found.evidence, "answer": found.answer},
    }


def _location(found: Row) -> JSONObject:
    path = str(found.raw["path"])
    logical: JSONObject = {"fullyQualifiedName": f"{found.place}: {found.path}", "kind": "resource"}
    if not path.startswith("/"):
        return {"logicalLocations": [logical]}
    physical: JSONObject = {"artifactLocation": {"uri": _uri(path), "uriBaseId": found.place}}
    return {"physicalLocation": physical, "logicalLocations": [logical]}


def _uri(path: str) -> str:
    """The path beneath its root, every byte that a URI cannot hold written as %XX; "." is the root itself."""
    return quote(raw_bytes(path.lstrip("/")), safe="/") or "."
