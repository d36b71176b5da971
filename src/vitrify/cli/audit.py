"""`vitrify audit`: no drift unseen."""

from __future__ import annotations

import click

from vitrify.cli.exits import Exit, unseen
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_audit import audit_lines
from vitrify.cli.verb import verb
from vitrify.core.drift import REREAD

EXAMPLES = {
    "vitrify audit": "Look at everything; files that did not move since the last look are not read again.",
    "vitrify audit --full": "Read every byte, with all cores of each host.",
    "vitrify audit --reread 10": "Read a tenth of what seems not to have moved, another one each time.",
    "vitrify audit --detailed-exitcode": "In a pipeline: exit 2 where something is unauthorised.",
}


@verb("audit", examples=EXAMPLES, exits=(Exit.CHANGES, Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@flag("--full", is_flag=True, help="Read every byte, also of files that seem not to have moved.")
@flag(
    "--reread",
    type=click.FloatRange(0, 100),
    default=REREAD,
    metavar="PERCENT",
    help="So much of the folders is read although nothing in them seems to have moved, others at each audit; by default 2.",
)
@flag("--noise", is_flag=True, help="Show differences that were to be expected as well, each with the rule that says so.")
@flag("--detailed-exitcode", is_flag=True, help="Exit 2 where an unauthorised difference was found.")
@shared("project", "limit", "exclude", "var")
def audit(invocation: Invocation, full: bool, reread: float, noise: bool, detailed_exitcode: bool) -> Exit:  # noqa: FBT001  flags of the command line
    """Compare what runs with what was declared and with what vitrify was authorised to do. Every difference is classed (authorised,
    package manager, declared noise, unauthorised) with its evidence and what apply would do about it. Changes nothing.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.audit(full=full, reread=reread)
    invocation.screen.show(found.to_json, lambda look: audit_lines(found, look, noise=noise))
    if found.rewritten:
        return Exit.INTEGRITY
    return Exit.CHANGES if detailed_exitcode and found.unauthorised else unseen(found.problems)
