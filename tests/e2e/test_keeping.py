"""Taking hosts under management, letting go of them, and going back several runs, with the real command line."""

from __future__ import annotations

import shutil

import pytest

from conftest import BuildShop
from shop import Shop

pytestmark = pytest.mark.e2e

TWO = '["root:./a", "root:./b"]'


@pytest.fixture
def shop(build_shop: BuildShop) -> Shop:
    built = build_shop(lifecycle="mutable", hosts=TWO)
    for host in ("a", "b"):
        (built.folder / host).mkdir()
    return built


def greeting(shop: Shop, host: str = "a") -> str:
    return (shop.folder / host / "srv/app/greeting.txt").read_text().strip()


def test_an_import_manages_what_is_as_declared_and_touches_nothing(shop: Shop) -> None:
    place = shop.folder / "a/srv/app"
    place.mkdir(parents=True)
    (place / "greeting.txt").write_text("by hand\n")
    told = shop.document("import")
    assert (place / "greeting.txt").read_text() == "by hand\n"
    assert not (place / "serve.py").exists()
    assert told["hosts"][0]["managed"] == ["directory:/srv", "directory:/srv/app"]
    assert "file:/srv/app/greeting.txt" in told["hosts"][0]["different"]


def test_what_was_imported_is_never_removed(shop: Shop) -> None:
    (shop.folder / "a/srv/app").mkdir(parents=True)
    shop.run("import")
    shop.run("apply")
    shop.run("retire", "web")
    assert (shop.folder / "a/srv/app").is_dir()
    assert not (shop.folder / "a/srv/app/greeting.txt").exists()
    assert not (shop.folder / "b/srv").exists()


def test_retiring_takes_away_what_was_created_and_forgets_the_hosts(shop: Shop) -> None:
    shop.run("apply")
    told = shop.document("retire", "web")
    assert [host["host"] for host in told["hosts"]] == ["root:./a", "root:./b"]
    assert not (shop.folder / "a/srv").exists()
    assert shop.run("retire", "web", expect=64).stderr.count("no release to retire") == 1


def test_forgetting_leaves_everything_where_it_is(shop: Shop) -> None:
    shop.run("apply")
    shop.run("forget", "web", "--host", "root:./b")
    assert greeting(shop, "b") == "one"
    assert shop.document("plan")["servers"][1]["settled"]
    assert not shop.document("plan")["servers"][0]["settled"]


def test_a_host_that_left_the_declaration_is_shown_until_it_is_forgotten(shop: Shop) -> None:
    shop.run("apply")
    shop.declare(hosts='["root:./a"]')
    assert [(row["hosts"], row["lifecycle"]) for row in shop.document("status")["servers"]] == [
        (["root:./a"], "mutable"),
        (["root:./b"], "abandoned"),
    ]
    shutil.rmtree(shop.folder / "b")
    shop.run("forget", "web", "--host", "root:./b", "--gone")
    assert len(shop.document("status")["servers"]) == 1
    shop.run("ledger", "verify")


def test_an_undo_goes_back_to_any_run(shop: Shop) -> None:
    runs = []
    for word in ("one", "two", "three"):
        shop.declare(greeting=word)
        runs.append(shop.document("apply")["hosts"][0]["run"])
    shop.declare(hosts='["root:./a"]')
    shop.run("undo", "web", "--back-to", runs[1])
    assert greeting(shop) == "one"
    assert greeting(shop, "b") == "three"


def test_going_back_to_a_run_that_is_not_known_names_those_that_are(shop: Shop) -> None:
    shop.run("apply")
    shop.declare(hosts='["root:./a"]')
    failed = shop.run("undo", "web", "--back-to", "never", expect=64)
    assert "knows no run 'never'" in failed.stderr
