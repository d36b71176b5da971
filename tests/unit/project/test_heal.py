"""When an instance that does not pass is replaced: what is declared, what holds where nothing is, and each mistake where it stands."""

from __future__ import annotations

import pytest
from tests.trial import Project

from vitrify.core.healing import Healing

FILE = "- directory: /srv"


def healing(project: Project, keys: str = "") -> Healing:
    return project.load(project.server(FILE, keys=keys)).servers[0].healing


def test_three_looks_in_a_row_and_five_times_an_hour_where_nobody_says_otherwise(project: Project) -> None:
    assert healing(project) == Healing(after=3, pause=5.0, limit=5)


def test_what_is_said_counts(project: Project) -> None:
    assert healing(project, "    heal: {after: 1, pause: 500ms, limit: 0}\n") == Healing(1, 0.5, 0)


@pytest.mark.parametrize(
    ("written", "summary", "hint"),
    [
        ("{after: 0}", "0 is too small", "at least 1"),
        ("{limit: 101}", "101 is too large", "at most 100"),
        ("{pause: 5}", "a duration has a unit", "as in 5s"),
        ("{looks: 3}", "there is no key `looks`", "after"),
        ("never", "expected a map, not text", "keys of it: after, pause, limit"),
    ],
)
def test_a_mistake_is_told_where_it_stands(project: Project, written: str, summary: str, hint: str) -> None:
    told, more = project.problem(project.server(FILE, keys=f"    heal: {written}\n"))

    place, _, what = told.partition(" ")
    assert (place.count(":"), what) == (1, summary)
    assert hint in more
