"""A server released, replaced and rolled back, through the real command line."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = [pytest.mark.e2e, pytest.mark.slow]


def until(condition: Callable[[], bool], *, seconds: float = 10.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.05)


def test_one_word_moves_a_server_from_a_folder_to_instances_and_back(build_shop: BuildShop) -> None:
    shop = build_shop(lifecycle="mutable")
    shop.run("apply")

    shop.declare(lifecycle="immutable")
    planned = shop.run("plan").stdout
    shop.run("apply")
    served = shop.get()
    shop.declare(lifecycle="mutable")
    back = shop.run("plan", "--detailed-exitcode")

    assert "flips from mutable to immutable" in planned
    assert served == (200, "one")
    assert "No changes" in back.stdout, "the folder stayed as it was"


def test_a_second_apply_of_the_same_declaration_changes_nothing(build_shop: BuildShop) -> None:
    shop = build_shop(replicas=2)
    shop.run("apply")
    running = shop.running()

    again = shop.run("apply")

    assert "No changes" in again.stdout
    assert shop.running() == running
    assert len(running) == 2


def test_an_ill_release_is_gated_out_and_the_old_one_serves_on(build_shop: BuildShop) -> None:
    shop = build_shop(grace="500ms")
    shop.run("apply")
    shop.declare(greeting="ill")

    failed = shop.run("apply", expect=7)

    assert "release 1 still serves" in failed.stderr
    assert 'HTTP/1.0" 500' in failed.stderr, "the last words of what is gone"
    assert shop.get() == (200, "one")
    assert shop.on_disk() == shop.running()
    assert len(shop.running()) == 1


def test_an_altered_instance_is_replaced_and_leaves_nothing_but_its_finding(build_shop: BuildShop) -> None:
    shop = build_shop(replicas=2)
    shop.run("apply")
    sound, altered = shop.running()
    shop.break_into(altered)

    planned = shop.document("plan")["servers"][0]
    shop.run("apply")

    assert (planned["kind"], planned["replace"]) == ("replace", [altered])
    assert sound in shop.running()
    assert shop.on_disk() == shop.running()
    assert len(shop.running()) == 2
    assert [entry["body"]["where"] for entry in shop.document("ledger", "show")["entries"] if entry["kind"] == "finding"] == [altered]
    assert shop.document("plan")["servers"][0]["kind"] == "none"


def test_a_release_that_falls_ill_in_its_probation_is_switched_back(build_shop: BuildShop) -> None:
    shop = build_shop(probation="8s")
    shop.run("apply")
    shop.declare(greeting="falls-ill")

    failed = shop.run("apply", expect=7)

    assert "probation" in failed.stderr
    assert shop.get() == (200, "one")


def test_a_rollback_is_warm_while_the_instances_run_and_cold_afterwards(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")
    shop.declare(greeting="two")
    shop.run("apply")

    warm = shop.document("rollback", "web")
    after_warm = shop.get()
    for name in shop.running():
        if "-r2-" in name:
            stop(shop, name)
    cold = shop.document("rollback", "web")

    assert after_warm == (200, "one")
    assert (warm["warm"], cold["warm"]) == (True, False)
    assert shop.get() == (200, "two")


def stop(shop: Shop, name: str) -> None:
    """End an instance for good, as its own keeper would when its time is up."""
    import json

    folder = shop.run_folder / "instances" / name
    keeper = json.loads((folder / "state.json").read_text())["shim"]["pid"]
    os.kill(keeper, signal.SIGTERM)
    until(lambda: not Path(f"/proc/{keeper}").exists())


def test_an_instance_that_is_killed_comes_back_and_traffic_goes_on(build_shop: BuildShop) -> None:
    import json

    shop = build_shop()
    shop.run("apply")
    (name,) = shop.running()
    state = shop.run_folder / "instances" / name / "state.json"
    child = json.loads(state.read_text())["child"]["pid"]

    os.kill(child, signal.SIGKILL)

    until(lambda: json.loads(state.read_text())["restarts"] >= 1 and shop.running() == [name])
    until(lambda: shop.get() == (200, "one"))


def test_a_killed_caddy_comes_back_with_the_same_routes(build_shop: BuildShop) -> None:
    import json

    shop = build_shop()
    shop.run("apply")
    state = next((shop.run_folder / "routers").glob("*/state.json"))
    child = json.loads(state.read_text())["child"]["pid"]

    os.kill(child, signal.SIGKILL)

    def back() -> bool:
        try:
            return shop.get() == (200, "one")
        except OSError:
            return False

    until(back)
    shop.declare(greeting="two")
    shop.run("apply")
    assert shop.get() == (200, "two")


def test_retire_leaves_nothing_running(build_shop: BuildShop) -> None:
    shop = build_shop()
    shop.run("apply")

    shop.run("retire", "web")

    assert shop.running() == []
    assert [path for path in (shop.run_folder / "instances").iterdir() if path.is_dir()] == []
