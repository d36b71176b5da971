"""Several hosts at once, with the real command line: batches, health between them, and what happens to the rest."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from conftest import BuildShop
from contained import lend
from shop import Shop

pytestmark = pytest.mark.e2e

HOSTS = ("a", "b", "c", "d", "e")


@pytest.fixture
def fleet(build_shop: BuildShop) -> Shop:
    shop = build_shop(lifecycle="mutable", hosts="[" + ", ".join(f'"root:./{host}"' for host in HOSTS) + "]", health="http: /")
    for host in HOSTS:
        (shop.folder / host).mkdir()
    return shop


def greetings(shop: Shop, hosts: Sequence[str] = HOSTS) -> list[str]:
    places = [shop.folder / host / "srv/app/greeting.txt" for host in hosts]
    return [place.read_text().strip() if place.exists() else "" for place in places]


def pace(shop: Shop, **keys: str) -> None:
    """Say in the declaration how to go through the hosts."""
    path = shop.folder / "vitrify.yaml"
    path.write_text(path.read_text() + "".join(f"    {key}: {value}\n" for key, value in keys.items()))


def spoil(shop: Shop, host: str) -> None:
    """Let every change on this host fail: a folder is never replaced by a file."""
    (shop.folder / host / "srv/app/serve.py").mkdir(parents=True)


def test_all_hosts_are_changed_and_told_of(fleet: Shop) -> None:
    applied = fleet.document("apply")
    assert greetings(fleet) == ["one"] * 5
    assert [host["host"] for host in applied["hosts"]] == [f"root:./{host}" for host in HOSTS]
    assert fleet.document("plan")["servers"][4]["changes"] == []


def test_each_event_says_which_host_it_is_about(fleet: Shop) -> None:
    told = fleet.run("apply").stderr
    assert "create file:/srv/app/serve.py of web on root:./c" in " ".join(told.split())


def test_a_host_that_fails_leaves_those_alone_that_were_not_begun(fleet: Shop) -> None:
    pace(fleet, batch="[1, 2]")
    spoil(fleet, "b")
    applied = fleet.document("apply", expect=3)
    assert greetings(fleet) == ["one", "", "one", "", ""]
    assert [held["host"] for held in applied["held"]] == ["root:./d", "root:./e"]


def test_so_many_may_fail_as_was_said(fleet: Shop) -> None:
    pace(fleet, batch="[1]", max_fail="20%")
    spoil(fleet, "b")
    fleet.run("apply", expect=3)
    assert greetings(fleet) == ["one", "", "one", "one", "one"]


def test_a_host_that_is_not_there_does_not_stop_the_others(fleet: Shop) -> None:
    (fleet.folder / "c").rmdir()
    planned = fleet.document("plan", expect=3)
    assert [problem["host"] for problem in planned["problems"]] == ["root:./c"]
    fleet.run("apply", expect=3)
    assert greetings(fleet, ("a", "b", "d", "e")) == ["one"] * 4


@pytest.fixture
def watched(build_shop: BuildShop) -> Shop:
    """A fleet whose health is that `three` is greeted nowhere."""
    health = "command: [/usr/bin/grep, -qv, three, /srv/app/greeting.txt]"
    hosts = '["root:./a", "root:./b", "root:./c"]'
    shop = build_shop(lifecycle="mutable", hosts=hosts, health=health, grace="100ms")
    for host in ("a", "b", "c"):
        lend("/usr/bin/grep", shop.folder / host)
    shop.run("apply")
    return shop


def test_a_batch_that_is_ill_is_taken_back_and_the_rest_left_alone(watched: Shop) -> None:
    watched.declare(greeting="three")
    pace(watched, batch="[2]")
    applied = watched.document("apply", expect=3)
    assert greetings(watched, ("a", "b", "c")) == ["one"] * 3
    assert [(host["host"], host["undone"]) for host in applied["hosts"]] == [("root:./a", True), ("root:./b", True)]
    assert [held["host"] for held in applied["held"]] == ["root:./c"]
    kinds = [entry["kind"] for entry in watched.document("ledger", "show", "-n", "50")["entries"]]
    assert kinds[-1] == "batch.undone"


def test_a_healthy_host_goes_back_with_the_ill_one_of_its_batch(watched: Shop) -> None:
    (watched.folder / "b/usr/bin/grep").write_bytes(Path("/usr/bin/false").read_bytes())
    watched.declare(greeting="two")
    shown = watched.run("apply", expect=3).stdout
    assert greetings(watched, ("a", "b", "c")) == ["one"] * 3
    assert "another host of its batch is not healthy" in shown


def test_an_undo_goes_through_all_hosts(watched: Shop) -> None:
    watched.declare(greeting="two")
    watched.run("apply")
    watched.run("undo", "web")
    assert greetings(watched, ("a", "b", "c")) == ["one"] * 3
