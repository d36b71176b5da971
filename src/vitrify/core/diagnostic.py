"""What went wrong, where, why and what to do next: the only error types of vitrify.

One class for each decision a caller can take; `cli/` alone maps them to exit codes.

    VitrifyError
    ├── DeclarationInvalid     one or more located problems, all at once
    ├── UsageInvalid           the command line cannot be carried out as given
    │   └── ConfirmationNeeded nobody is there to say yes
    ├── Denied                 a policy or a gate refuses
    ├── Busy                   somebody else holds the server, or the ledger lives elsewhere
    ├── TargetUnreachable      no session with the host
    ├── TargetFailed           the host refused or failed an act
    ├── PreviousStillServing   a rollout failed and traffic was not touched, or was switched back
    ├── IntegrityFailed        a digest, signature or ledger does not hold
    └── PlanStale              the world moved after the plan was made
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Dict, Iterable, List, Optional, Tuple, Type


@dataclass(frozen=True)
class Location:
    """A place in a declaration; line and column count from 1, the column in characters."""

    file: str
    line: int
    column: int

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


@dataclass(frozen=True)
class Diagnostic:
    """One problem for a person: what, where, why and what to do next."""

    summary: str
    where: Optional[Location] = None
    why: str = ""
    hint: str = ""

    def __str__(self) -> str:
        place = f"{self.where}: " if self.where else ""
        why = f" ({self.why})" if self.why else ""
        hint = f"\n  hint: {self.hint}" if self.hint else ""
        return f"{place}{self.summary}{why}{hint}"

    def to_json(self) -> Dict[str, object]:
        """The machine-readable form, with empty parts left out."""
        where = {"file": self.where.file, "line": self.where.line, "column": self.where.column} if self.where else None
        parts = {"summary": self.summary, "where": where, "why": self.why, "hint": self.hint}
        return {key: value for key, value in parts.items() if value}


class VitrifyError(Exception):
    """The root of everything vitrify raises on purpose."""

    def __init__(self, summary: str, *, why: str = "", hint: str = "", where: Optional[Location] = None) -> None:
        super().__init__(summary)
        self.diagnostics: Tuple[Diagnostic, ...] = (Diagnostic(summary, where, why, hint),)

    def __str__(self) -> str:
        return "\n".join(str(diagnostic) for diagnostic in self.diagnostics)


class DeclarationInvalid(VitrifyError):
    """The declaration cannot be used; carries every problem found, in the order of the file."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        found: List[Diagnostic] = sorted(diagnostics, key=_reading_order)
        super().__init__(found[0].summary if found else "the declaration is invalid")
        self.diagnostics = tuple(found)


def _reading_order(diagnostic: Diagnostic) -> Tuple[str, int, int]:
    where = diagnostic.where
    return (where.file, where.line, where.column) if where else ("", 0, 0)


class UsageInvalid(VitrifyError):
    """The command line cannot be carried out as given."""


class ConfirmationNeeded(UsageInvalid):
    """A change needs a yes, and nobody is there to give it."""


class Denied(VitrifyError):
    """A policy, a protection or a gate refuses."""


class Busy(VitrifyError):
    """Somebody else is changing this server, or the ledger lives elsewhere."""


class TargetUnreachable(VitrifyError):
    """No session with the host could be opened."""


class PythonMissing(TargetUnreachable):
    """The host has no Python that runs the payload. `manager` is the package manager that could bring one, "" where none is known."""

    def __init__(self, summary: str, *, manager: str, why: str = "", hint: str = "") -> None:
        super().__init__(summary, why=why, hint=hint)
        self.manager = manager


class TargetFailed(VitrifyError):
    """The host refused or failed an act."""


class PreviousStillServing(VitrifyError):
    """A rollout failed; the previous release serves as before."""


class IntegrityFailed(VitrifyError):
    """A digest, a signature or the ledger does not hold."""


class PlanStale(VitrifyError):
    """The declaration or the world moved after the plan was made."""


_BY_NAME: Dict[str, Type[VitrifyError]] = {
    error.__name__: error
    for error in (UsageInvalid, Denied, Busy, TargetUnreachable, TargetFailed, PreviousStillServing, IntegrityFailed, PlanStale)
}


def error_to_json(error: VitrifyError) -> Dict[str, object]:
    """An error as it crosses the wire from a target."""
    first = error.diagnostics[0]
    return {"type": type(error).__name__, "summary": first.summary, "why": first.why, "hint": first.hint}


def error_from_json(data: Dict[str, object]) -> VitrifyError:
    """The error a target sent; an unknown type becomes `TargetFailed`."""
    summary, why, hint = (str(data.get(name, "")) for name in ("summary", "why", "hint"))
    if data.get("type") == DeclarationInvalid.__name__:
        return DeclarationInvalid([Diagnostic(summary, None, why, hint)])
    return _BY_NAME.get(str(data.get("type")), TargetFailed)(summary, why=why, hint=hint)
