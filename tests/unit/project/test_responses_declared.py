"""The key `respond`: what is read of it, and what is wrong with it where it stands."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.response import Do, Response, decided
from vitrify.core.severity import Severity

HEAD = "version: 1\nproject: shop\n"
SERVER = "servers:\n  web:\n    lifecycle: mutable\n    hosts: [local]\n    resources: []\n"


def test_rules_are_read_in_their_order_with_what_they_do_not_say(project: Project) -> None:
    rules = "[{path: '/etc/**', severity: critical, do: quarantine, at_most: 1, give_up: 2}, {do: re-converge}]"

    (server,) = project.load(f"{HEAD}{SERVER}    respond: {rules}\n").servers

    assert server.responses == (Response(Do.QUARANTINE, "/etc/**", Severity.CRITICAL, 1, 2), Response(Do.RECONVERGE))


@pytest.mark.parametrize(
    ("rule", "expected", "rest"),
    [
        ("{path: /etc/x}", "the key `do` is missing", "do: re-converge"),
        ("{do: reconverge}", "`reconverge` is not one of", "re-converge"),
        ("{do: report, path: etc/x}", "this is no path of a host", "service:nginx"),
        ("{do: report, severity: grave}", "`grave` is not one of critical, high", ""),
        ("{do: report, at_most: 0}", "0 is too small", "at least 1"),
        ("{do: report, at_moost: 2}", "there is no key `at_moost`", "did you mean `at_most`?"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_where_it_stands(project: Project, rule: str, expected: str, rest: str) -> None:
    problems = project.problems(f"{HEAD}{SERVER}    respond:\n      - {rule}\n")

    told = [problem.summary for problem in problems]
    assert any(expected in one for one in told), told
    assert all(problem.where and problem.where.line == 9 for problem in problems)
    assert rest in " ".join(problem.hint for problem in problems)


@pytest.mark.parametrize(
    ("immutable", "expected"),
    [(False, Do.RECONVERGE), (True, Do.REPLACE)],
)
def test_a_rule_without_a_meaning_in_this_lifecycle_waits_for_the_other_one(immutable: bool, expected: Do) -> None:  # noqa: FBT001  a column
    rules = (Response(Do.RECONVERGE), Response(Do.REPLACE))

    found = decided(rules, "/etc/x", Severity.LOW, immutable=immutable)

    assert found is not None
    assert found.do is expected


def test_the_first_rule_that_fits_counts_and_graver_findings_are_meant_too() -> None:
    rules = (Response(Do.REPORT, "/etc/**"), Response(Do.QUARANTINE, severity=Severity.HIGH), Response(Do.RECONVERGE))

    def answer(path: str, severity: Severity) -> Do | None:
        found = decided(rules, path, severity, immutable=False)
        return found.do if found else None

    assert answer("/etc/x", Severity.CRITICAL) is None
    assert answer("/srv/x", Severity.CRITICAL) is Do.QUARANTINE
    assert answer("/srv/x", Severity.MEDIUM) is Do.RECONVERGE
