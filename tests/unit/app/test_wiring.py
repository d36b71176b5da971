"""A project is opened from the outside in: what cannot be read leaves nothing behind."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from vitrify.app import App
from vitrify.core.asked import Scope
from vitrify.core.diagnostic import DeclarationInvalid
from vitrify.core.event import silence
from vitrify.project import keyring

INVALID = "version: 1\nproject: shop\nservers: {web: {lifecycle: mutabl, hosts: ['root:.'], resources: []}}\n"


def an_app(folder: Path) -> App:
    return App(Scope(folder=str(folder / "shop")), emit=silence, environ={"VITRIFY_HOME": str(folder / "home")})


@pytest.mark.parametrize("ask", [App.plan, App.status, App.audit, App.outdated, lambda app: app.bake("web")])
def test_an_invalid_declaration_leaves_nothing_behind(tmp_path: Path, ask: Callable[[App], object]) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/vitrify.yaml").write_text(INVALID)

    with closing(an_app(tmp_path)) as app, pytest.raises(DeclarationInvalid):
        ask(app)

    assert [path.name for path in sorted(tmp_path.rglob("*"))] == ["shop", "vitrify.yaml"]


def test_the_key_that_a_valid_declaration_was_read_with_is_kept(tmp_path: Path) -> None:
    offered = keyring.known_digest_key(tmp_path / "keys")
    assert not (tmp_path / "keys").exists()

    assert keyring.digest_key(tmp_path / "keys", fresh=offered) == offered
    assert keyring.known_digest_key(tmp_path / "keys") == offered
    assert keyring.digest_key(tmp_path / "keys", fresh=b"x" * 32) == offered, "whoever is first counts"


def test_a_valid_declaration_says_who_the_project_is(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/vitrify.yaml").write_text(INVALID.replace("mutabl,", "mutable,"))

    with closing(an_app(tmp_path)) as app:
        app.status()

    assert (tmp_path / "shop/vitrify.keys").is_file()
    assert (tmp_path / "home/keys/digest").stat().st_size == 32
