"""What a strategy is called, when it applies, and how many instances it takes."""

from __future__ import annotations

from dataclasses import replace

import pytest

from vitrify.core.batch import Share
from vitrify.core.strategy import Bounds, Manner, Weight, outline, peak, strategy_of


@pytest.mark.parametrize(
    ("text", "weight"),
    [("5% for 10m", Weight(5, 600.0)), ("25%", Weight(25)), ("50% for 90s", Weight(50, 90.0)), ("5 for 10m", None), ("5% for ever", None)],
)
def test_a_step_of_a_canary_is_read(text: str, weight: Weight | None) -> None:
    assert Weight.parse(text) == weight
    assert weight is None or Weight.parse(str(weight)) == weight


def test_a_manner_comes_back_as_it_was_kept() -> None:
    gate = Bounds(errors=0.005, p95=0.25, requests=50, command=("/bin/check",))
    manner = Manner((Weight(5, 600.0), Weight(25)), gate, Share(25, percent=True), Share(1), 12.5, manual=True, preview=":8081")

    assert Manner.from_json(manner.to_json()) == manner


def test_a_release_of_before_these_words_is_the_same_release() -> None:
    assert Manner().to_json() == {}
    assert Manner.from_json({"strategy": "blue-green", "retain": 5}) == Manner()


@pytest.mark.parametrize(
    ("declared", "kind", "live", "route", "strategy"),
    [
        ("canary", "release", True, True, "canary"),
        ("canary", "release", False, True, "blue-green"),
        ("canary", "release", True, False, "blue-green"),
        ("canary", "rollback", True, True, "blue-green"),
        ("rolling", "release", True, False, "rolling"),
        ("rolling", "replace", True, True, "blue-green"),
        ("recreate", "release", True, False, "recreate"),
        ("recreate", "rollback", True, True, "recreate"),
        ("recreate", "replace", True, True, "recreate"),
        ("recreate", "release", False, True, "blue-green"),
    ],
)
def test_a_strategy_applies_where_there_is_something_to_go_on_from(
    declared: str,
    kind: str,
    live: bool,  # noqa: FBT001  a row of a table
    route: bool,  # noqa: FBT001  a row of a table
    strategy: str,
) -> None:
    assert strategy_of(declared, kind, live=live, route=route) == strategy


@pytest.mark.parametrize(("strategy", "most"), [("blue-green", 4), ("canary", 4), ("rolling", 2), ("recreate", 0)])
def test_each_strategy_says_how_many_instances_it_takes_at_most(strategy: str, most: int) -> None:
    assert peak(strategy, Manner(max_surge=Share(50, percent=True)), replicas=4, launch=4) == most


@pytest.mark.parametrize(
    ("surge", "unavailable", "replicas", "expected"),
    [
        ("1", "0", 3, (1, 0)),
        ("0", "0", 3, (1, 0)),
        ("0", "1", 3, (0, 1)),
        ("25%", "25%", 4, (1, 1)),
        ("25%", "0", 2, (1, 0)),
        ("0", "9", 1, (1, 0)),
    ],
)
def test_rolling_always_gets_on_and_never_takes_all_away(surge: str, unavailable: str, replicas: int, expected: tuple[int, int]) -> None:
    shares = [Share.parse(text) or Share(0) for text in (surge, unavailable)]
    manner = Manner(max_surge=shares[0], max_unavailable=shares[1])

    assert (manner.surge(replicas), manner.lacking(replicas)) == expected


def test_what_will_happen_is_told_in_words() -> None:
    manner = Manner((Weight(5, 600.0), Weight(25)), Bounds(errors=0.01, p95=0.5))

    assert outline("canary", manner, replicas=2) == (
        "requests: 5% for 10m, 25% until it is promoted, then all",
        "taken back unless errors at most 1%, 95 of 100 answers within 0.5 s",
    )
    assert outline("recreate", Manner(), replicas=1) == (
        "the old ones stop before the new ones start; requests are held for 30s at most meanwhile",
    )
    assert outline("recreate", Manner(pause=0.0), replicas=1)[0].endswith("requests are turned away meanwhile")
    shown = replace(manner, manual=True, preview="next.shop.example", steps=(Weight(5, 60.0),))
    assert outline("blue-green", shown, replicas=1) == (
        "can be looked at beforehand at next.shop.example",
        "waits for `vitrify promote` before it gets any request",
    )
