"""The part of an application that answers what a test wants which is about migrations."""

from __future__ import annotations

from abc import abstractmethod

from vitrify.core.migrated import Contracted, Owed


class FakeMigrations:
    """Owes what it holds, and notes what it was asked."""

    owed_is = Owed("web", 2, ("migrate contract",), 0.0, due=True, begun=False)

    @abstractmethod
    def _called(self, name: str, /, **arguments: object) -> None: ...

    def owed(self, server: str) -> Owed:
        self._called("owed", server=server)
        return self.owed_is

    def contract(self, server: str, *, now: bool, skip: bool) -> Contracted:
        self._called("contract", server=server, now=now, skip=skip)
        return Contracted(server, self.owed_is.release, self.owed_is.commands, 0.5, skipped=skip)
