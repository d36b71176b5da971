"""The part of an application that answers what a test wants which is about leases."""

from __future__ import annotations

from vitrify.core.plan import Plan
from vitrify.core.report import LeaseView


class FakeLeases:
    """Tells of the leases that it holds, and notes what it was asked."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[tuple[str, dict[str, object]]] = []
        self.fails_in: dict[str, BaseException] = {}
        self.leases_are: tuple[LeaseView, ...] = ()

    def free(self, plan: Plan) -> Plan:
        if found := self.fails_in.get("free"):
            raise found
        return plan

    def leases(self, server: str) -> tuple[LeaseView, ...]:
        self.calls.append(("leases", {"server": server}))
        return self.leases_are

    def release_lease(self, server: str, *, reason: str) -> tuple[LeaseView, ...]:
        self.calls.append(("release_lease", {"server": server, "reason": reason}))
        return tuple(lease for lease in self.leases_are if lease.standing)
