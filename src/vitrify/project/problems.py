"""Collects everything that is wrong with a declaration, so that all of it is told at once."""

from __future__ import annotations

from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location


class Problems:
    """A list that is only added to. The same problem at the same place (a profile used twice) is told once."""

    def __init__(self) -> None:
        self._found: dict[Diagnostic, None] = {}
        self._places: set[Location] = set()

    def add(self, summary: str, at: Location, *, why: str = "", hint: str = "") -> None:
        """Note one problem."""
        self._found[Diagnostic(summary, at, why, hint)] = None
        self._places.add(at)

    def take(self, error: DeclarationInvalid) -> None:
        """Note every problem of an error."""
        self._found.update(dict.fromkeys(error.diagnostics))
        self._places.update(found.where for found in error.diagnostics if found.where)

    def told(self, at: Location) -> bool:
        """Whether something is known to be wrong at this very place, so that what follows from it need not be told."""
        return at in self._places

    def error(self) -> DeclarationInvalid:
        """All of them, as one error."""
        return DeclarationInvalid(self._found)

    def settle(self) -> None:
        """Raise that error if there is any problem."""
        if self._found:
            raise self.error()
