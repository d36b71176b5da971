"""`vitrify doctor`: what this machine has and lacks."""

from __future__ import annotations

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_report import check_lines
from vitrify.cli.verb import verb

EXAMPLES = {"vitrify doctor": "Check this machine; exit 1 where something needed is missing."}


@verb("doctor", examples=EXAMPLES)
@shared()
def doctor(invocation: Invocation) -> Exit:
    """Check that this machine has what vitrify needs, and say what to run where it lacks something. Changes nothing."""
    checks = invocation.app.doctor()
    invocation.screen.show(lambda: documents.checks(checks), lambda look: check_lines(checks, look))
    return Exit.FAILED if any(check.state == "missing" for check in checks) else Exit.DONE
