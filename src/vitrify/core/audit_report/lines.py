"""NDJSON: a finding a line, then a line that says how much was looked at. For `jq`, a shipper of logs, a table of a database."""

from __future__ import annotations

import json

from vitrify.core.audit_report.report import Report
from vitrify.core.digest import JSON, JSONObject
from vitrify.core.readable import whole

FINDING = "vitrify.dev/finding/v1"


def lines(report: Report) -> str:
    """Each line has a `schema`. The last one is there even where nothing differs: a file without it was not written by an audit."""
    occasion: JSONObject = {"project": report.project, "at": report.time}
    found = [{"schema": FINDING, **occasion, "fingerprint": each.fingerprint, **_strict(each.raw)} for each in report.rows]
    counted = {name: value for name, value in report.to_json().items() if name != "findings"}
    return "".join(f"{json.dumps(one, separators=(',', ':'))}\n" for one in (*found, {**counted, **occasion, "findings": len(found)}))


def _strict(finding: JSONObject) -> JSONObject:
    return {name: _whole(value) for name, value in finding.items()}


def _whole(value: JSON) -> JSON:
    if isinstance(value, str):
        return whole(value)
    return [_whole(each) for each in value] if isinstance(value, list) else value
