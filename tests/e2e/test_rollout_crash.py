"""Killed at every intent, act and outcome of a rollout, for real: the same command again ends it, and nothing is left over."""

from __future__ import annotations

from pathlib import Path

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow, pytest.mark.timeout(900)]


def reached(shop: Shop, *words: str, expect: int = 0) -> list[str]:
    """Every point that an undisturbed run of this command passes, in order, each once."""
    log = shop.folder.parent / "reached"
    log.unlink(missing_ok=True)
    shop.run(*words, expect=expect, VITRIFY_FAILPOINT_LOG=str(log))
    return list(dict.fromkeys(log.read_text().split()))


def kill_at(point: str, shop: Shop, *words: str) -> None:
    """End the process that reaches this point: ours, or the payload it works through."""
    killed = shop.run(*words, expect=None, VITRIFY_FAILPOINT=point)
    assert killed.returncode in (-9, 4), f"not killed at {point}: {killed.returncode}\n{killed.stderr}"


def assert_whole(shop: Shop, *, serving: str, point: str) -> None:
    """What serves is what was asked for; one instance of it; nothing lost, doubled or orphaned; the ledger holds."""
    assert shop.get() == (200, serving), point
    rows = [row for row in rows_of(shop) if row["slot"] == "live"]
    assert [row["running"] for row in rows] == [1], (point, rows)
    numbers = [row["number"] for row in rows_of(shop)]
    assert len(numbers) == len(set(numbers)), point
    slots = {row["number"] for row in rows_of(shop) if row["slot"]}
    owners = {int(name.split("-r")[1].split("-")[0]) for name in shop.running()}
    assert owners <= slots, (point, shop.running(), slots)
    assert len(shop.running()) == len(owners), (point, shop.running())
    shop.run("ledger", "verify")
    shop.run("audit", "--detailed-exitcode")


def rows_of(shop: Shop) -> list[dict[str, object]]:
    document = shop.document("releases", "web")
    rows = document["releases"]
    assert isinstance(rows, list)
    return rows


def test_a_release_killed_anywhere_is_ended_by_the_same_command(build_shop: BuildShop, steps: frozenset[str]) -> None:
    shop = build_shop()
    shop.run("apply")
    shop.declare(greeting="traced")
    points = reached(shop, "apply")
    assert {
        f"{step}.{part}" for step in ("launch", "gate", "switch", "probation", "retire") for part in ("intent", "act", "outcome")
    } <= set(points)

    for number, point in enumerate(points):
        shop.declare(greeting=f"release-{number}")
        kill_at(point, shop, "apply")
        shop.run("apply")
        assert_whole(shop, serving=f"release-{number}", point=point)
    assert steps  # each step named in the source is reached by one of the tests in this file: see the last one


def test_a_release_that_is_ill_and_killed_anywhere_leaves_the_old_one_serving(build_shop: BuildShop) -> None:
    shop = build_shop(grace="300ms")
    shop.run("apply")
    shop.declare(greeting="ill")
    points = [point for point in reached(shop, "apply", expect=7) if point.startswith("abort")]
    assert points == ["abort.intent", "abort.act", "abort.outcome"]

    for point in points:
        kill_at(point, shop, "apply")
        shop.run("apply", expect=7)
        assert_whole(shop, serving="one", point=point)


def test_a_rollback_killed_anywhere_is_ended_by_the_same_command(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")
    shop.declare(greeting="two")
    shop.run("apply")
    points = reached(shop, "rollback", "web")
    serving, other = "one", "two"

    for point in points:
        kill_at(point, shop, "rollback", "web")
        finished = shop.get()[1] == other and not open_rollout(shop)
        if not finished:
            shop.run("rollback", "web")
        serving, other = other, serving
        assert_whole(shop, serving=serving, point=point)


def open_rollout(shop: Shop) -> bool:
    document = shop.document("status")
    servers = document["servers"]
    assert isinstance(servers, list)
    return bool(servers[0]["unfinished"])


@pytest.fixture
def steps() -> frozenset[str]:
    """The steps that the rollout's source names."""
    import re

    source = (Path(__file__).parents[2] / "src/vitrify/lifecycle/rollout.py").read_text()
    return frozenset(re.findall(r'\.step\("(\w+)"\)', source))
