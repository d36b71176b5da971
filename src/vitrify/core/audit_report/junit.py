"""JUnit's XML: what every pipeline shows. A suite for each place, a case for each finding; what nobody allowed has failed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape
from itertools import groupby

from vitrify.core.audit_report.report import Report, Row


def junit(report: Report) -> str:
    """The document. The first suite is the look itself: a pipeline takes a file without any case for a fault."""
    rows = sorted(report.rows, key=lambda found: found.place)
    stamp = report.time.removesuffix("Z")
    failed = sum(not found.allowed for found in rows)
    seconds = f"{report.audit.seconds:.3f}"
    looks = [f"    <{_tag('testcase', name=f'looked at {report.looked}', classname='audit', time=seconds)}/>", *_unseen(report)]
    count, errors = len(rows) + len(looks), len(report.unseen)
    head = _tag("testsuites", name=f"vitrify audit {report.project}", tests=count, failures=failed, errors=errors, time=seconds)
    lines = ['<?xml version="1.0" encoding="UTF-8"?>', f"<{head}>"]
    lines += _suite(report.project, looks, errors=errors, stamp=stamp)
    for place, found in groupby(rows, key=lambda found: found.place):
        here = list(found)
        lines += _suite(place, list(_cases(here)), failed=sum(not each.allowed for each in here), stamp=stamp)
    return "\n".join((*lines, "</testsuites>", ""))


def _unseen(report: Report) -> Iterator[str]:
    for each in report.unseen:
        yield f"    <{_tag('testcase', name=each, classname='audit', time='0')}><{_tag('error', message='not looked at')}/></testcase>"


def _suite(name: str, cases: Sequence[str], *, stamp: str, failed: int = 0, errors: int = 0) -> Iterator[str]:
    count = sum(case.startswith("    <testcase") for case in cases)
    yield f"  <{_tag('testsuite', name=name, tests=count, failures=failed, errors=errors, skipped=0, timestamp=stamp)}>"
    yield from cases
    yield "  </testsuite>"


def _cases(rows: Iterable[Row]) -> Iterator[str]:
    for found in rows:
        yield f"    <{_tag('testcase', name=found.title, classname=found.place, time='0')}>"
        if found.allowed:
            yield f"      <system-out>{_text([found.classed.value, *found.told])}</system-out>"
        else:
            kind = f"{found.classed.value} {found.severity}".strip()
            yield f"      <{_tag('failure', message=f'{found.title}: {found.classed.value}', type=kind)}>{_text(found.told)}</failure>"
        yield "    </testcase>"


def _tag(element: str, /, **attributes: str | int) -> str:
    return " ".join((element, *(f'{key}="{escape(str(value))}"' for key, value in attributes.items())))


def _text(lines: Iterable[str]) -> str:
    return escape("\n".join(lines))
