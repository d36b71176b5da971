"""All calls of the payload, by name."""

from __future__ import annotations

from typing import Callable, Dict

from vitrify.core.digest import JSONObject
from vitrify.onhost import bake, converge, inspect, instances, traffic
from vitrify.onhost.context import Context

Call = Callable[[Context, JSONObject], JSONObject]

MODULES = (bake, converge, inspect, instances, traffic)
"""Each of them says what it answers to in its constant `CALLS`."""


def all_calls() -> Dict[str, Call]:
    """Every call that the payload answers."""
    return {name: call for module in MODULES for name, call in module.CALLS.items()}
