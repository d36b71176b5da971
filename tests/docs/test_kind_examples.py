"""The examples on the reference page of kinds are valid, and there is one for each kind."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator  # type: ignore[import-untyped]  # brings no types
from tools.kind_examples import EXAMPLES

from vitrify.project.compile import COMMON
from vitrify.project.editors import schema
from vitrify.resources.registry import all_kinds

KINDS = all_kinds()
PAGE = Path(__file__).resolve().parents[2] / "docs" / "reference" / "kinds.md"


def test_every_kind_has_an_example() -> None:
    assert set(EXAMPLES) == set(KINDS.names())


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_is_valid_and_of_its_kind(name: str) -> None:
    for wish in yaml.safe_load(EXAMPLES[name]):
        ((kind, fields),) = wish.items()
        fields = fields if isinstance(fields, dict) else {KINDS[kind].short: fields[0] if isinstance(fields, list) else fields}
        own = {field: value for field, value in fields.items() if field not in COMMON}

        assert kind == name
        assert KINDS[kind].schema.problems(own, absent=fields.get("absent") is True) == []
        assert KINDS[kind].identity(own)


@pytest.mark.parametrize("name", KINDS.names())
def test_the_page_shows_every_field_that_can_be_declared_and_no_other(name: str) -> None:
    section = PAGE.read_text(encoding="utf-8").partition(f"## `{name}`\n")[2].partition("\n## ")[0]

    for field, known in KINDS[name].schema.fields.items():
        assert (f"| `{field}`" in section) is not known.resolved


@pytest.mark.parametrize("name", sorted(EXAMPLES))
def test_an_example_satisfies_the_schema_for_editors(name: str) -> None:
    whole = {"version": 1, "project": "p", "servers": {"s": {"lifecycle": "mutable", "hosts": ["local"], "resources": None}}}
    whole["servers"]["s"]["resources"] = yaml.safe_load(EXAMPLES[name])  # type: ignore[index]

    assert not [error.message for error in Draft202012Validator(schema(KINDS)).iter_errors(whole)]
