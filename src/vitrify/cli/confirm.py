"""The question before a change: asked on a terminal, answered by -y, refused where nobody can answer."""

from __future__ import annotations

from vitrify.cli.invocation import Invocation
from vitrify.core.diagnostic import ConfirmationNeeded


def confirm(invocation: Invocation, question: str) -> None:
    """Return where the answer is yes; `ConfirmationNeeded` otherwise."""
    if invocation.yes:
        return
    if not invocation.screen.interactive:
        raise ConfirmationNeeded(
            f"this needs a yes to {question!r}, and there is no terminal to ask on",
            why="nothing was changed",
            hint=f"add -y, as in `{invocation.again} -y`, or set VITRIFY_YES=1",
        )
    if not invocation.screen.ask(question):
        raise ConfirmationNeeded("not confirmed: nothing was changed")
