"""The call `watch.inside`: who writes into the roots of running instances, until the other side is gone."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Callable, Dict

from vitrify.core.digest import JSONObject
from vitrify.core.event import Event, Stage
from vitrify.onhost.context import Context
from vitrify.onhost.insides import Insides
from vitrify.onhost.launching import labels_of
from vitrify.onhost.rungs import highest
from vitrify.onhost.watching import GAP, RUNG, Watched, hear, tell

GLANCE = 0.5
"""Seconds between two looks at whether instances came, went, or started again."""


def watch(context: Context, arguments: JSONObject) -> JSONObject:
    """As `watch`, of the instances below `home` with these `labels`; one that comes is a gap: nobody listened to its first moment."""
    insides = Insides(str(arguments["home"]), labels_of(arguments.get("labels")))
    name, ended = "", False
    while not ended:
        mark, watched = insides.mark(), _now(insides)
        rung, why = highest(watched.folders, watched.files, watched.devices)
        try:
            told = (RUNG, rung.name, why) if rung.name != name else (GAP, "", "an instance came, went, or started again")
            context.emit(Event(told[0], Stage.NOTICE, told[1], told[2]))
            name, ended = rung.name, True
            for heard in hear(rung, context.channel, every=GLANCE):
                tell(context, heard, watched)
                if insides.mark() != mark:
                    ended = False
                    break
        finally:
            rung.close()
    return {"rung": name}


def _now(insides: Insides) -> Watched:
    found = insides.now()
    uppers = {os.path.realpath(one.upper): (one.instance, one.at) for one in found if Path(one.upper).is_dir()}
    return Watched(tuple(uppers), uppers=uppers, devices={one.device: one.instance for one in found if one.device})


CALLS: Dict[str, Callable[[Context, JSONObject], JSONObject]] = {"watch.inside": watch}
