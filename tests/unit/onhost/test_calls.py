"""The table of calls is written down so that nothing is imported before it is needed; it must not lie."""

from __future__ import annotations

from importlib import import_module

import pytest

from vitrify.onhost.calls import MODULES, find_call


@pytest.mark.parametrize("name", sorted(MODULES))
def test_a_module_answers_to_exactly_the_calls_that_the_table_says(name: str) -> None:
    assert tuple(import_module(f"vitrify.onhost.{name}").CALLS) == MODULES[name]


def test_an_unknown_call_is_found_nowhere() -> None:
    assert find_call("destroy") is None
