"""OCSF 1.4.0: a Detection Finding (class 2004) for each finding, one on a line, as collectors of security events take them."""

from __future__ import annotations

import json

from vitrify.core.audit_report.report import Report, Row, graded
from vitrify.core.digest import JSON, JSONObject

VERSION = "1.4.0"
CATEGORY, CLASS, CREATE = 2, 2004, 1
_SEVERITIES = {"low": (2, "Low"), "medium": (3, "Medium"), "high": (4, "High"), "critical": (5, "Critical")}
_INFORMATIONAL = (1, "Informational")
_TYPES = {"file": 1, "directory": 2, "device": 0, "socket": 5, "fifo": 6, "link": 7, "symlink": 7}


def ocsf(report: Report) -> str:
    """An event a line; nothing where nothing differs. Times are milliseconds since the epoch."""
    return "".join(f"{json.dumps(_event(found, report), separators=(',', ':'))}\n" for found in report.rows)


def _event(found: Row, report: Report) -> JSONObject:
    number, severity = _INFORMATIONAL if found.allowed else _SEVERITIES[graded(found)]
    status = (3, "Suppressed") if found.allowed else (1, "New")
    at = round(report.at * 1000)
    return {
        "activity_id": CREATE,
        "activity_name": "Create",
        "category_uid": CATEGORY,
        "category_name": "Findings",
        "class_uid": CLASS,
        "class_name": "Detection Finding",
        "type_uid": CLASS * 100 + CREATE,
        "type_name": "Detection Finding: Create",
        "time": at,
        "severity_id": number,
        "severity": severity,
        "status_id": status[0],
        "status": status[1],
        "is_alert": not found.allowed,
        "message": f"{found.place}: {found.title} ({found.classed.value})",
        "metadata": {"version": VERSION, "product": {"name": "vitrify", "vendor_name": "vitrify", "version": report.version}},
        "finding_info": _info(found, at),
        "resources": [{"name": found.where, "type": "host or instance", "group": {"name": found.server}}],
        "evidences": [_evidence(found)],
        **({"remediation": {"desc": found.answer}} if found.answer else {}),
        "unmapped": {"project": report.project, "class": found.classed.value, "evidence": found.evidence, "entry": found.entry},
    }


def _info(found: Row, at: int) -> JSONObject:
    return {
        "uid": found.fingerprint,
        "title": found.title,
        "desc": "\n".join(found.told),
        "types": [f"drift: {found.change}"],
        "created_time": at,
        "analytic": {"name": f"vitrify audit: {found.evidence}", "type_id": 1, "type": "Rule"},
    }


def _evidence(found: Row) -> JSONObject:
    data: JSONObject = {"details": list(found.details), "evidence": found.evidence}
    if found.who:
        data["who"] = found.who
    return {"data": data, **({"file": _file(found)} if found.path.startswith("/") else {})}


def _file(found: Row) -> JSONObject:
    kinds = [_TYPES[detail] for detail in found.details if detail in _TYPES]
    about: dict[str, JSON] = {"name": found.path.rpartition("/")[2] or "/", "path": found.path, "type_id": kinds[0] if kinds else 0}
    if found.written is not None:
        about["modified_time"] = found.written * 1000
    if found.owner:
        about["owner"] = {"uid": found.owner} if found.owner.isdecimal() else {"name": found.owner}
    return about
