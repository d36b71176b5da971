"""The types of the Python front end name every kind, every field that can be declared, and every key."""

from __future__ import annotations

import ast

import pytest
from tools.stub import stub

from vitrify.project.compile import COMMON
from vitrify.project.envelope import ServerPart, Top
from vitrify.project.pieces import OFFERED
from vitrify.resources.registry import all_kinds

KINDS = all_kinds()
TREE = ast.parse(stub(KINDS))
FUNCTIONS = {node.name: node for node in TREE.body if isinstance(node, ast.FunctionDef)}
CLASSES = {node.name for node in TREE.body if isinstance(node, ast.ClassDef)}


def arguments(name: str) -> set[str]:
    found = FUNCTIONS[name].args
    return {argument.arg.removesuffix("_") for argument in [*found.args, *found.kwonlyargs]}


def test_everything_that_the_front_end_offers_has_its_types() -> None:
    assert {*OFFERED, *KINDS.names()} <= {*FUNCTIONS, *CLASSES}


@pytest.mark.parametrize("name", KINDS.names())
def test_every_field_that_can_be_declared_is_an_argument(name: str) -> None:
    declared = {field for field, known in KINDS[name].schema.fields.items() if not known.resolved}

    assert arguments(name) == declared | set(COMMON)


def test_every_key_of_a_server_and_of_the_whole_is_an_argument() -> None:
    assert arguments("server") == set(ServerPart.model_fields)
    assert arguments("project") == (set(Top.model_fields) | {"name"}) - {"version", "project"}
