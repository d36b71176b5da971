"""What a listener on a host heard, kept until somebody looks: which paths were touched, by whom last. Pure but for its memory."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from vitrify.core.digest import JSON, JSONObject
from vitrify.core.drift import Actor, Finding

UNHEARD = "not known, because the watch heard nothing of it"
NAMELESS = "not known, because the watch stood on {evidence}, which tells paths and nobody's name"
KEPT = 50_000
"""So many paths: beyond them the oldest is forgotten, and its finding says that nobody is known."""


class Touches:
    """Path -> who touched it last."""

    def __init__(self) -> None:
        self._last: dict[str, Actor] = {}

    def take(self, data: Mapping[str, JSON]) -> None:
        """Keep what one event of the listener says."""
        told = data.get("touches")
        for touch in told if isinstance(told, list) else ():
            if isinstance(touch, dict):
                path = str(touch["path"])
                self._last.pop(path, None)  # the newest is the last to be forgotten
                self._last[path] = _actor(touch)
        for path in list(self._last)[: max(0, len(self._last) - KEPT)]:
            del self._last[path]

    def knows(self, finding: Finding) -> bool:
        """Whether anything was heard of its paths."""
        return self._of(finding) is not None

    def attributed(self, finding: Finding, *, evidence: str) -> Finding:
        """The finding with who it was, where that was heard; where it was not, with why."""
        actor = self._of(finding)
        if actor is None:
            return replace(finding, who=UNHEARD)
        if actor.pid is None:
            return replace(finding, evidence=evidence, who=NAMELESS.format(evidence=evidence))
        return replace(finding, evidence=evidence, who=str(actor), actor=actor)

    def _of(self, finding: Finding) -> Actor | None:
        return next((self._last[path] for path in (finding.path, *finding.paths) if path in self._last), None)


def _actor(touch: JSONObject) -> Actor:
    at = touch.get("at")
    return Actor(
        pid=_number(touch.get("pid")),
        exe=str(touch.get("exe") or ""),
        command=str(touch.get("command") or ""),
        uid=_number(touch.get("uid")),
        login=_number(touch.get("login")),
        at=float(at) if isinstance(at, (int, float)) else None,
    )


def _number(value: JSON) -> int | None:
    return value if isinstance(value, int) and value >= 0 else None
