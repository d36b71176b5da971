"""The page about the declaration knows every key that a declaration may have, and no other."""

from __future__ import annotations

import re

import pytest

from pages import ROOT
from vitrify.core.entry_kinds import KINDS
from vitrify.core.notice import EVENTS
from vitrify.project import envelope, policy, serving  # noqa: F401  every part is known once these are
from vitrify.project.compile import COMMON
from vitrify.project.part import Part
from vitrify.project.shapes import parts

PAGE = (ROOT / "docs" / "reference" / "declaration.md").read_text(encoding="utf-8")
ROWS = set(re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE))
IN_WORDS = {"at"}
"""Keys that a sentence explains, not a row of a table."""
OF_USE = {"profile", "with"}


@pytest.mark.parametrize("part", [*parts()], ids=lambda part: part.__name__)
def test_every_key_of_the_envelope_has_its_row(part: type[Part]) -> None:
    assert set(part.model_fields) - IN_WORDS <= ROWS
    assert all(f"`{key}`" in PAGE for key in part.model_fields)


def test_every_key_that_all_resources_take_has_its_row() -> None:
    assert set(COMMON) <= ROWS


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_entry_that_a_notice_can_ask_for_is_named(kind: str) -> None:
    told, others = (part for part in PAGE.partition("Every other kind of entry") if part != "Every other kind of entry")

    assert f"`{kind}`" in (told if kind in EVENTS else others)


def test_no_row_is_about_a_key_that_does_not_exist() -> None:
    known = {key for part in parts() for key in part.model_fields}

    assert not ROWS - known - set(COMMON) - OF_USE
