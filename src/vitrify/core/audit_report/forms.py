"""The names of the forms, and what each is made by."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from vitrify.core.audit_report.junit import junit
from vitrify.core.audit_report.lines import lines
from vitrify.core.audit_report.ocsf import ocsf
from vitrify.core.audit_report.page import page
from vitrify.core.audit_report.report import Report
from vitrify.core.audit_report.sarif import sarif


def document(report: Report) -> str:
    """The document of `vitrify audit -o json`."""
    return json.dumps(report.to_json(), indent=2) + "\n"


FORMS: Mapping[str, Callable[[Report], str]] = {
    "html": page,
    "json": document,
    "junit": junit,
    "ndjson": lines,
    "ocsf": ocsf,
    "sarif": sarif,
}
