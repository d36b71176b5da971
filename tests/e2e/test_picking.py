"""A part of a declaration, picked on the command line, on folders that are converged for real."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop import Shop

pytestmark = pytest.mark.e2e

DECLARATION = """\
version: 1
project: shop
vars: {who: nobody}
environments:
  prod: {vars: {who: everybody}}
groups:
  eu: {hosts: ["root:./eu1", "root:./eu2"], vars: {place: europe}}
servers:
  web:
    lifecycle: mutable
    hosts: [eu, {at: "root:./us1", vars: {place: america}}]
    resources:
      - file: {path: /motd, content: "${var.who} in ${var.place}", tags: motd}
      - file: {path: /other, content: x}
"""


def project(folder: Path, declaration: str = DECLARATION) -> Shop:
    folder.mkdir(exist_ok=True)
    for name in ("eu1", "eu2", "us1"):
        (folder / name).mkdir(exist_ok=True)
    (folder / "vitrify.yaml").write_text(declaration)
    return Shop(folder, 0)


def contents(folder: Path) -> dict[str, str]:
    """What is in the three folders, without vitrify's own memory."""
    files = [path for name in ("eu1", "eu2", "us1") for path in (folder / name).iterdir() if path.is_file()]
    return {str(path.relative_to(folder)): path.read_text() for path in files}


def test_a_group_and_a_tag_pick_and_an_environment_gives_the_values(tmp_path: Path) -> None:
    shop = project(tmp_path / "shop")

    shop.run("apply", "-y", "-e", "prod", "-l", "eu", "-t", "motd", "--exclude", "root:./eu2")

    assert contents(shop.folder) == {"eu1/motd": "everybody in europe"}


def test_a_saved_plan_remembers_what_it_was_picked_from(tmp_path: Path) -> None:
    shop = project(tmp_path / "shop")
    shop.run("plan", "-e", "prod", "-l", "us1", "-l", "root:./us1", "--out", "plan.json", expect=64)
    shop.run("plan", "-e", "prod", "-l", "root:./us1", "--out", "plan.json")

    refused = shop.run("apply", "-y", "plan.json", "-e", "prod", expect=64)
    shop.run("apply", "-y", "plan.json")

    assert "a saved plan is applied as it is" in refused.stderr
    assert contents(shop.folder) == {"us1/motd": "everybody in america", "us1/other": "x"}


def test_an_apply_for_a_tag_never_removes_what_left_the_declaration(tmp_path: Path) -> None:
    shop = project(tmp_path / "shop")
    shop.run("apply", "-y")
    project(tmp_path / "shop", DECLARATION.replace("      - file: {path: /other, content: x}\n", "").replace("who: nobody", "who: one"))

    shop.run("apply", "-y", "-t", "motd")
    kept = contents(shop.folder)
    shop.run("apply", "-y")

    assert kept["eu1/other"] == "x"
    assert kept["eu1/motd"] == "one in europe"
    assert "eu1/other" not in contents(shop.folder)
