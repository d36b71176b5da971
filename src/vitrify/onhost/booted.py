"""Tells which start of the host this is, and whether it has come to its end. The call `host.boot`."""

from __future__ import annotations

from vitrify.core.boot import boot
from vitrify.core.digest import JSONObject
from vitrify.core.system import Command
from vitrify.onhost.context import Context
from vitrify.onhost.scope import Here

_NOT_YET = ("initializing", "starting", "stopping", "offline")
"""What systemd says while it still has units to start, or has begun to end them."""


def booted(context: Context, arguments: JSONObject) -> JSONObject:
    """The call `host.boot`: `boot` names this start, `up` is whether everything that it starts is started."""
    system = Here.at(context, arguments).system
    if not system.service_manager():
        return {"boot": boot(system), "up": True}
    state = system.run(Command(("systemctl", "is-system-running"))).stdout.strip()
    return {"boot": boot(system), "up": state not in _NOT_YET}


CALLS = {"host.boot": booted}
