"""The part of an application that answers what a test wants which is about where requests go."""

from __future__ import annotations

from dataclasses import replace

from vitrify.core.report import Applied, Released
from vitrify.core.rollout_report import WayBack

IMAGE = "sha256:" + "ab12" * 16


class FakeTraffic:
    """Tells of the releases that it holds, and notes what it was asked."""

    def __init__(self) -> None:
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.released_is = Released("web", "rollback", 3, 4, IMAGE, ("web-3-a", "web-3-b"))
        self.way_back_is = WayBack("web", 4, 3, "warm", 0, left=431.0)
        self.promotes = "release 5 of web waits with 25% of the requests"
        self.held = True
        self.ends_with: Applied | None = None
        """How promote, abort, pause and resume end, where that is not well on one host."""

    def way_back(self, server: str, *, to: int | None, look: bool) -> WayBack:
        self.calls.append(("way_back", {"server": server, "to": to}))
        return self.way_back_is if look else replace(self.way_back_is, tier="")

    def rollback(self, server: str, *, to: int) -> Applied:
        self.calls.append(("rollback", {"server": server, "to": to}))
        return Applied(releases=(self.released_is,))

    def promotion(self, server: str) -> str:
        self.calls.append(("promotion", {"server": server}))
        return self.promotes

    def promote(self, server: str, *, everything: bool) -> Applied:
        self.calls.append(("promote", {"server": server, "everything": everything}))
        return self.ends_with or Applied(releases=(self.released_is,))

    def abortion(self, server: str) -> tuple[int, int | None]:
        self.calls.append(("abortion", {"server": server}))
        return 5, 4

    def abort(self, server: str) -> Applied:
        self.calls.append(("abort", {"server": server}))
        returned = Released("web", "returned", 4, None, "", (), host="local")
        return self.ends_with or Applied(releases=(returned,))

    def pause(self, server: str, *, at_most: float) -> Applied:
        self.calls.append(("pause", {"server": server, "at_most": at_most}))
        return self.ends_with or Applied()

    def resume(self, server: str) -> tuple[bool, Applied]:
        self.calls.append(("resume", {"server": server}))
        return self.held, self.ends_with or Applied()
