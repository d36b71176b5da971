"""`vitrify update`: move what the lock pins, and show what moves."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_update import updated_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify update --dry-run": "What would move now: which package, from which version to which, and whether for security.",
    "vitrify update web": "Choose anew for web, and for whatever stands on the same base.",
    "vitrify update --dry-run --detailed-exitcode": "In a pipeline: exit 2 where something would move.",
}


@verb("update", examples=EXAMPLES, exits=(Exit.CHANGES, Exit.HOSTS_FAILED, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server", required=False, default="")
@flag("--dry-run", is_flag=True, help="Show what would move, and write nothing.")
@flag("--detailed-exitcode", is_flag=True, help="Exit 2 where something moves.")
@shared("project", "var")
def update(invocation: Invocation, server: str, dry_run: bool, detailed_exitcode: bool) -> Exit:  # noqa: FBT001  flags of the command line
    """Choose anew what bases are made of and what immutable servers install, show what moves, and write it to vitrify.lock: for
    SERVER, or for all. Nothing else ever moves what is pinned there. No image is baked: the next plan says what a rebuild would do.
    """  # noqa: D205  the whole paragraph is the help
    result = invocation.app.update(server, dry_run=dry_run)
    invocation.screen.show(lambda: documents.updated(result), lambda look: updated_lines(result, look, dry_run=dry_run))
    return Exit.CHANGES if detailed_exitcode and result.moves else Exit.DONE
