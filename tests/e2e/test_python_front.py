"""A declaration in Python through the real command line: applied on a folder, and taken for the same as its twin in YAML."""

from __future__ import annotations

from pathlib import Path

import pytest

from shop import Shop

pytestmark = pytest.mark.e2e

PYTHON = """\
from vitrify.declare import file, directory, project, server, secret, var

print("not data")
shop = project(
    "shop",
    vars={"who": "you"},
    secrets={"token": {"exec": ["echo", "t0ken"]}},
    servers={
        "web": server(
            lifecycle="mutable",
            hosts=["root:./machine"],
            resources=[
                directory("/srv", mode="0755"),
                *[file(f"/srv/{name}", content=f"{name} for {var('who')}") for name in ("a", "b")],
                file("/srv/token", content=secret("token")),
            ],
        )
    },
)
"""
YAML = """\
version: 1
project: shop
vars: {who: you}
secrets: {token: {exec: [echo, t0ken]}}
servers:
  web:
    lifecycle: mutable
    hosts: ["root:./machine"]
    resources:
      - directory: {path: /srv, mode: "0755"}
      - file: {path: /srv/a, content: "a for ${var.who}"}
      - file: {path: /srv/b, content: "b for ${var.who}"}
      - file: {path: /srv/token, content: secret:token}
"""


def project(folder: Path, **files: str) -> Shop:
    """A project with these declarations, by the end of their names."""
    (folder / "machine").mkdir(parents=True, exist_ok=True)
    for name in ("py", "yaml"):
        (folder / f"vitrify.{name}").unlink(missing_ok=True)
        if name in files:
            (folder / f"vitrify.{name}").write_text(files[name])
    return Shop(folder, 0)


def test_what_python_applied_is_as_declared_to_yaml(tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", py=PYTHON)
    applied = shop.document("apply")
    project(tmp_path / "shop", yaml=YAML)

    again = shop.run("plan", "--detailed-exitcode")

    assert (shop.folder / "machine/srv/a").read_text() == "a for you"
    assert (shop.folder / "machine/srv/token").stat().st_mode & 0o777 == 0o600
    assert applied["schema"] == "vitrify.dev/applied/v1"
    assert "No changes" in again.stdout


def test_both_at_once_and_a_program_that_fails_are_told_with_their_place(tmp_path: Path) -> None:
    shop = project(tmp_path / "shop", py=PYTHON, yaml=YAML)
    both = shop.run("plan", expect=65)
    project(tmp_path / "shop", py=PYTHON.replace('"root:./machine"]', '"root:./machine"], replicas=1 // 0'))
    failed = shop.run("plan", expect=65)
    project(tmp_path / "shop", py=PYTHON.replace('mode="0755"', 'mod="0755"'))
    misspelt = shop.run("plan", expect=65)

    assert "vitrify.py:1:1: error: a project has one declaration" in both.stderr
    assert "vitrify.py:11:48: error: the declaration failed with ZeroDivisionError" in failed.stderr
    assert "vitrify.py:13:35: error: there is no field `mod`" in misspelt.stderr
    assert "did you mean `mode`?" in misspelt.stderr
    assert "Traceback" not in failed.stderr
