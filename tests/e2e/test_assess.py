"""A server that is changed in place and one that is replaced, assessed by what was really done to both."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conftest import BuildShop

pytestmark = pytest.mark.e2e

PET = """
  pet:
    lifecycle: mutable
    hosts: ["root:./pet"]
    resources:
      - directory: [/etc, /srv]
      - file: {path: /etc/motd, content: "one\\n"}
      - file: {path: /srv/kept, content: "kept\n"}
"""


def test_a_project_of_both_lives_learns_what_each_costs_and_what_to_flip_next(build_shop: BuildShop, tmp_path: Path) -> None:
    shop = build_shop()
    shop.declare(more=PET)
    (shop.folder / "pet").mkdir()
    shop.run("apply")
    (shop.folder / "pet/etc/motd").write_text("intruder\n")
    (shop.folder / "pet/srv/orders").write_text("state\n")
    shop.run("audit")
    shop.declare(greeting="two")
    shop.run("apply", "--limit", "web")
    shop.run("rollback", "web")

    found = shop.document("assess", "--page", str(tmp_path / "assess.html"))

    pet, web = sorted(found["servers"], key=lambda server: str(server["server"]))
    assert (pet["lifecycle"], web["lifecycle"]) == ("mutable", "immutable")
    assert pet["unauthorised"] == {"value": 2.0, "times": 2, "told": "2 of them not put right yet"}
    assert pet["size"]["value"] == len("one\nkept\n")
    assert pet["back"]["why"] == "not known, because nothing was undone in the last 30 days"
    assert web["change"]["times"] == 2
    assert 0 < web["back"]["value"] < web["change"]["value"]
    assert web["extra"]["value"] == 1.0
    assert web["size"]["value"] > 0
    assert web["unauthorised"]["why"].startswith("not known, because")
    flip = found["advice"][0]
    assert (flip["what"], flip["server"]) == ("flip", "pet")
    assert any("/srv/orders" in obstacle for obstacle in flip["obstacles"])
    assert "a `process` and a `base`" in " ".join(flip["obstacles"])
    assert "Flip next: pet" in shop.looked("assess")
    assert json.dumps(flip["because"][0])[1:-1] in (tmp_path / "assess.html").read_text()
