"""What the exit codes mean, and the one place that maps an error to its code."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import IntEnum
from typing import TYPE_CHECKING

from vitrify.core.diagnostic import (
    Busy,
    DeclarationInvalid,
    Denied,
    IntegrityFailed,
    PreviousStillServing,
    TargetFailed,
    TargetUnreachable,
    UsageInvalid,
)

if TYPE_CHECKING:
    from vitrify.core.plan import HostProblem
    from vitrify.core.report import Applied


class Exit(IntEnum):
    """How a command ends. A code is never given a second meaning."""

    DONE = 0
    FAILED = 1
    CHANGES = 2
    HOSTS_FAILED = 3
    UNREACHABLE = 4
    DENIED = 5
    BUSY = 6
    STILL_SERVING = 7
    INTEGRITY = 8
    USAGE = 64
    DECLARATION = 65
    INTERRUPTED = 130
    TERMINATED = 143


MEANINGS: Mapping[Exit, str] = {
    Exit.DONE: "done, or nothing to do",
    Exit.FAILED: "failed",
    Exit.CHANGES: "changes or drift (only with --detailed-exitcode)",
    Exit.HOSTS_FAILED: "some hosts failed",
    Exit.UNREACHABLE: "some hosts are unreachable",
    Exit.DENIED: "denied by a policy, a protection or a gate",
    Exit.BUSY: "leased to someone else, or the ledger lives elsewhere",
    Exit.STILL_SERVING: "rollout failed, the previous release is still serving",
    Exit.INTEGRITY: "integrity: ledger, signature or digest",
    Exit.USAGE: "usage, or confirmation needed",
    Exit.DECLARATION: "the declaration is invalid",
    Exit.INTERRUPTED: "interrupted, after a clean stop",
    Exit.TERMINATED: "terminated, after a clean stop",
}


def exit_for(error: BaseException) -> Exit:  # noqa: C901, PLR0911  one case for each row of the table
    """The code of an error; anything that has no code of its own is a failure."""
    match error:
        case DeclarationInvalid():
            return Exit.DECLARATION
        case UsageInvalid():
            return Exit.USAGE
        case Denied():
            return Exit.DENIED
        case Busy():
            return Exit.BUSY
        case TargetUnreachable():
            return Exit.UNREACHABLE
        case TargetFailed():
            return Exit.HOSTS_FAILED
        case PreviousStillServing():
            return Exit.STILL_SERVING
        case IntegrityFailed():
            return Exit.INTEGRITY
        case _:
            return Exit.FAILED


def ended(applied: Applied) -> Exit:
    """The code of an apply or undo that went through: what failed counts before what could not be reached, or was somebody else's."""
    if any(host.failed or host.undone for host in applied.hosts):
        return Exit.HOSTS_FAILED
    return unseen(applied.problems)


def unseen(problems: Sequence[HostProblem]) -> Exit:
    """The code for hosts that did not do their part, in the same order."""
    if any(not (problem.unreachable or problem.busy) for problem in problems):
        return Exit.HOSTS_FAILED
    if any(problem.unreachable for problem in problems):
        return Exit.UNREACHABLE
    return Exit.BUSY if problems else Exit.DONE
