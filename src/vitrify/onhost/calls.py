"""All calls of the payload, by name. What a call needs is imported when it is made: a payload comes as source, each file costs."""

from __future__ import annotations

from functools import partial
from importlib import import_module
from typing import Callable, Dict, Optional, Tuple

from vitrify.core.digest import JSONObject
from vitrify.onhost.context import Context

Call = Callable[[Context, JSONObject], JSONObject]

MODULES: Dict[str, Tuple[str, ...]] = {
    "accepting": ("accept",),
    "bake": ("bake",),
    "booted": ("host.boot",),
    "collecting": ("image.collect",),
    "converge": ("observe", "enact", "undo"),
    "dead_man": ("dead_man.confirm",),
    "detached": ("detached",),
    "health": ("host.healthy",),
    "hooks": ("hook.run",),
    "inspect": ("audit",),
    "telling": ("audit.path",),
    "instances": (
        "instance.launch",
        "instance.list",
        "instance.stop",
        "instance.stop_later",
        "instance.discard",
        "instance.logs",
        "instance.altered",
        "instance.mark",
        "instance.quarantine",
        "instance.entrance",
        "instance.healthy",
    ),
    "leasing": ("lease.acquire", "lease.renew", "lease.release", "lease.show"),
    "outdated": ("outdated",),
    "quarantine": ("quarantine.take", "quarantine.put_back", "quarantine.discard", "quarantine.list"),
    "rereading": ("image.check",),
    "reviving": ("router.lost", "router.revive"),
    "sameness": ("even",),
    "taking": ("image.lacking", "image.take"),
    "testimony": ("ledger.held", "ledger.keep"),
    "tools": ("tool.ensure",),
    "watching": ("watch",),
    "watching_inside": ("watch.inside",),
    "traffic": (
        "router.ensure",
        "router.release",
        "router.prepare",
        "router.switch",
        "router.pause",
        "router.resume",
        "router.live",
        "router.measured",
        "router.in_flight",
        "router.answers",
        "router.looks",
    ),
}
"""Module of this package -> the calls in its constant `CALLS`."""


def find_call(name: str) -> Optional[Call]:
    """What answers to this name; None where nothing does."""
    module = next((module for module, names in MODULES.items() if name in names), None)
    if module is None:
        return None
    try:
        calls: Dict[str, Call] = import_module(f"vitrify.onhost.{module}").CALLS
    except ModuleNotFoundError as error:
        if error.name == f"vitrify.onhost.{module}":
            return None  # what a host needs for instances alone did not come along
        raise
    return calls[name] if module in _OWN else partial(_fenced, calls[name])


_OWN = ("accepting", "converge", "detached", "leasing", "quarantine")
"""Whose calls see to their leases themselves; any other that presents one is made by it."""


def _fenced(call: Call, context: Context, arguments: JSONObject) -> JSONObject:
    if "lease" not in arguments:
        return call(context, arguments)
    leasing = import_module("vitrify.onhost.leasing")
    answer: JSONObject = leasing.fenced(call, context, arguments)
    return answer
