"""What a listener on a host heard, kept until somebody looks: which paths were touched, by whom last. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Actor, Finding

KEPT = 50_000
"""So many paths: beyond them the oldest is forgotten, and its finding says that nobody is known."""


class Touches:
    """Instance ("" for the host itself) and path -> who touched it last."""

    def __init__(self) -> None:
        self._last: dict[tuple[str, str], Actor] = {}

    def take(self, data: Mapping[str, JSON]) -> None:
        """Keep what one event of the listener says."""
        told = data.get("touches")
        for touch in told if isinstance(told, list) else ():
            if isinstance(touch, dict):
                place = (str(touch.get("where") or ""), str(touch["path"]))
                self._last.pop(place, None)  # the newest is the last to be forgotten
                self._last[place] = _actor(touch)
        for place in list(self._last)[: max(0, len(self._last) - KEPT)]:
            del self._last[place]

    def attributed(self, finding: Finding, *, evidence: str) -> Finding:
        """The finding with who it was, where that was heard; as it is where it was not."""
        places = [(where, path) for path in (finding.path, *finding.paths) for where in (finding.where, "")]
        actor = next((self._last[place] for place in places if place in self._last), None)
        if actor is None:
            return finding
        named = replace(finding, evidence=evidence)
        return named if actor.pid is None else replace(named, who=str(actor), actor=actor)


def _actor(touch: JSONObject) -> Actor:
    at = touch.get("at")
    return Actor(
        pid=_number(touch.get("pid")),
        exe=str(touch.get("exe") or ""),
        command=str(touch.get("command") or ""),
        uid=_number(touch.get("uid")),
        login=_number(touch.get("login")),
        at=float(at) if isinstance(at, (int, float)) else None,
        inside=str(touch["inside"]) if touch.get("inside") else None,
    )


def _number(value: JSON) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
