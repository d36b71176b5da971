"""The keys `audit` and `policy`: what is read of them, and what is wrong with them."""

from __future__ import annotations

from datetime import date

import pytest
from tests.trial import Project

from vitrify.core.audit_policy import AuditPolicy
from vitrify.core.noise import Extent, Noise

HEAD = "version: 1\nproject: shop\n"
SERVER = "servers:\n  web:\n    lifecycle: mutable\n    hosts: [local]\n    resources: []\n"


def test_a_servers_own_noise_comes_before_that_of_the_policy(project: Project) -> None:
    declared = "{path: '/srv/state/**', reason: state, until: 2027-01-31}"
    text = (
        f"{HEAD}policy:\n  ignore: [{declared}]\n{SERVER}"
        "    audit: {folders: [/etc], packages: upgrades, profile: none, ignore: [{path: /etc/x, reason: x, changes: growth}]}\n"
    )

    (server,) = project.load(text).servers

    rules = (Noise("/etc/x", "x", extent=Extent.GROWTH), Noise("/srv/state/**", "state", date(2027, 1, 31)))
    assert server.audit == AuditPolicy(("/etc",), rules, "upgrades", profile=False)


@pytest.mark.parametrize(
    ("rule", "expected", "rest"),
    [
        ("{path: /etc/x}", "the key `reason` is missing", "why that is no finding"),
        ("{path: etc/x, reason: a}", "this is no path of a host", "/var/lib/app/**"),
        ("{path: '/**', reason: a}", "this would cover everything", "name the folders"),
        ("{path: /etc/x, reason: a, until: soon}", "'soon' is not a day", "2027-01-31"),
        ("{path: /etc/x, reason: a, until: 3}", "3", ""),
        ("{path: /etc/x, reason: a, changes: grow}", "`grow` is not one of", "growth"),
        ("{path: /etc/x, raeson: a}", "there is no key `raeson`", "did you mean `reason`?"),
    ],
)
def test_what_is_wrong_with_a_rule_is_told_where_it_stands(project: Project, rule: str, expected: str, rest: str) -> None:
    problems = project.problems(f"{HEAD}policy:\n  ignore:\n    - {rule}\n{SERVER}")

    told = [problem.summary for problem in problems]
    assert any(expected in one for one in told), told
    assert all(problem.where and problem.where.line == 5 for problem in problems)
    assert rest in " ".join(problem.hint for problem in problems)
