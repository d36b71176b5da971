"""The store's verbs say what went, what stays and what is bad, as a screen and as a document."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.unit.cli.image_answers import IMAGE

from vitrify.cli.exits import Exit
from vitrify.core.retention import Collected
from vitrify.core.store_report import Bad, StoreChecked

if TYPE_CHECKING:
    from tests.unit.cli.conftest import Console


def test_what_went_is_told_for_each_place(console: Console) -> None:
    ended = console("store", "collect")

    assert ended.code is Exit.DONE
    assert "store: gone: 2 images, 4 blobs" in ended.out
    assert "web1: gone: 0 images, 0 blobs, 1 unpacked" in ended.out


def test_a_dry_run_says_would(console: Console) -> None:
    document = json.loads(console("store", "collect", "-n", "-o", "json").out)

    assert console.app.calls[-1] == ("collect", {"dry_run": True, "unreleased": False})
    assert document["dry_run"] is True
    assert document["places"][1]["bytes"] == 12_345_678
    assert "would go" in console("store", "collect", "--dry-run").out


def test_a_host_that_kept_what_it_has_is_told_and_ends_with_3(console: Console) -> None:
    console.app.collected_is = (Collected("web2", problem="web: no answer"),)

    ended = console("store", "collect")

    assert ended.code is Exit.HOSTS_FAILED
    assert "web2: web: no answer" in ended.out


def test_a_pin_lasts_until_a_day(console: Console) -> None:
    ended = console("store", "pin", "web", "--reason", "tax law", "--until", "2033-01-01", "-o", "json")

    assert console.app.calls[-1] == ("pin", {"image": "web", "reason": "tax law", "until": 1_988_150_400.0})
    assert json.loads(ended.out)["pins"][0]["until"] == 1_988_150_400
    assert console("store", "pin", "web", "--reason", "x", "--until", "soon").code is Exit.USAGE


def test_what_is_bad_is_named_with_what_uses_it_and_ends_with_8(console: Console) -> None:
    assert console("store", "check").code is Exit.DONE
    console.app.checked_is = StoreChecked(9, 2, 5, (Bad(IMAGE, "its sha256 differs", ("sha256:cd: web 3 (live)",)),))

    ended = console("store", "check")

    assert ended.code is Exit.INTEGRITY
    assert f"{IMAGE}: its sha256 differs" in ended.out
    assert "used by sha256:cd: web 3 (live)" in ended.out
