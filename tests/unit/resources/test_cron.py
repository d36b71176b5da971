from __future__ import annotations

import pytest

from vitrify.core.difference import Action, Change
from vitrify.core.digest import JSON
from vitrify.core.resource import MISSING, Address, Resource
from vitrify.resources.cron import Cron

CRON = Cron()
FIELDS: dict[str, JSON] = {"name": "backup", "job": "/usr/bin/backup"}


@pytest.mark.parametrize(
    "time",
    [
        {"minute": 0},
        {"minute": "*/10"},
        {"hour": "1-5/2,7"},
        {"weekday": "sun,mon-fri"},
        {"weekday": 7},
        {"month": "JAN-mar"},
        {"day": "*"},
    ],
)
def test_a_time_that_cron_reads_is_taken(time: dict[str, JSON]) -> None:
    assert CRON.schema.problems({**FIELDS, **time}) == []


@pytest.mark.parametrize(
    ("fields", "summary"),
    [
        ({"minute": 60}, "60 is no minute for cron"),
        ({"minute": "*/0"}, "'*/0' is no minute for cron"),
        ({"minute": "5-1"}, "'5-1' is no minute for cron"),
        ({"minute": True}, "True is no minute for cron"),
        ({"hour": "noon"}, "'noon' is no hour for cron"),
        ({"hour": "1 2"}, "'1 2' is no hour for cron"),
        ({"weekday": "mond"}, "'mond' is no weekday for cron"),
        ({}, "a job needs its time: `special`, or one of `minute`, `hour`, `day`, `month`, `weekday`"),
        ({"special": "daily", "hour": 1}, "`hour` cannot stand beside `special`"),
        ({"special": "often"}, "'often' is not one of reboot, yearly, annually, monthly, weekly, daily, midnight, hourly"),
        ({"minute": 0, "name": "back.up"}, "cron does not read a file of this name"),
        ({"minute": 0, "job": "a\nb"}, "a job is one line"),
        ({"minute": 0, "env": {"A": "x\n* * * * * root y"}}, "cron cannot read this variable"),
    ],
)
def test_what_cron_would_not_read_is_refused(fields: dict[str, JSON], summary: str) -> None:
    assert summary in [problem.summary for problem in CRON.schema.problems({**FIELDS, **fields})]


def test_a_plan_says_that_a_package_brings_the_folder() -> None:
    wish = Resource(Address("cron", "backup"), {**FIELDS, "minute": 0})
    package = Resource(Address("package", "cron"), {})
    made = Change(wish, Action.CREATE, {**MISSING, "folder": "missing"}, CRON.desired(wish))

    assert CRON.assumed(made, {package.address: Change(package, Action.CREATE, MISSING, {})}) == "package cron provides /etc/cron.d"
    assert CRON.assumed(made, {}) == ""
    assert CRON.implied(wish, {package.address: package}) == (package.address,)
