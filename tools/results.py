"""What a pytest run left in its JUnit file: counts, the tests that did not run and why, and what tests measured."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Results:
    """One run of pytest, or several added up."""

    tests: int = 0
    failed: int = 0
    skipped: tuple[str, ...] = ()
    """`file::test: reason`, one for each test that did not run."""
    figures: dict[str, str] = field(default_factory=dict)
    """What tests noted with `record_property`, by `test: name`."""

    def __add__(self, other: Results) -> Results:
        return Results(
            self.tests + other.tests, self.failed + other.failed, self.skipped + other.skipped, {**self.figures, **other.figures}
        )


def read(path: Path) -> Results:
    """The results in a JUnit file; nothing where pytest ended before it wrote one."""
    if not path.exists():
        return Results()
    cases = list(ET.parse(path).getroot().iter("testcase"))  # noqa: S314  pytest wrote it a moment ago
    return Results(
        tests=len(cases),
        failed=sum(1 for case in cases if case.find("failure") is not None or case.find("error") is not None),
        skipped=tuple(_skip(case) for case in cases if case.find("skipped") is not None),
        figures={f"{case.get('name')}: {name}": value for case in cases for name, value in _properties(case)},
    )


def _skip(case: ET.Element) -> str:
    skipped = case.find("skipped")
    reason = skipped.get("message", "") if skipped is not None else ""
    place = "::".join(part for part in (case.get("classname", "").replace(".", "/"), case.get("name", "")) if part)
    return f"{place}: {reason}"


def _properties(case: ET.Element) -> list[tuple[str, str]]:
    return [(found.get("name", ""), found.get("value", "")) for found in case.iter("property")]
