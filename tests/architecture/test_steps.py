"""Crash points are read from the source; what cannot be read there would never be tested."""

from __future__ import annotations

import ast

from source import Module, package
from steps import MOMENTS, is_reached, is_step, steps_in_source
from test_ledger_crash import STEPS


def test_every_crash_point_is_a_moment_of_a_step_or_a_write_of_the_ledger() -> None:
    points = steps_in_source()

    assert points
    assert not {point for point in points if point.rpartition(".")[2] not in MOMENTS and not point.startswith("ledger.")}


def test_the_writer_of_the_ledger_is_killed_at_every_step_of_its_own() -> None:
    assert {*STEPS} == {point for point in steps_in_source() if point.startswith("ledger.")}


def test_every_crash_point_is_written_out_where_it_is_reached() -> None:
    assert not {f"{found.place}:{line}" for found in package() for line in _computed(found)}


def _computed(found: Module) -> list[int]:
    """Calls whose name is put together at run time, but for the one helper that adds the moment to a step's name."""
    helpers = [function for function in found.functions() if function.name == "step"]
    within = {id(node) for helper in helpers for node in ast.walk(helper)}
    calls = [node for node in ast.walk(found.tree) if isinstance(node, ast.Call) and node.args and id(node) not in within]
    points = [node for node in calls if is_step(node) or is_reached(node)]
    return [node.lineno for node in points if not isinstance(node.args[0], ast.Constant)]
