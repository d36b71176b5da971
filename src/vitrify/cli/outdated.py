"""`vitrify outdated`: which packages are behind."""

from __future__ import annotations

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_outdated import outdated_lines
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify outdated": "Every package that is behind, on every host.",
    "vitrify outdated --security --detailed-exitcode": "In a pipeline: exit 2 where a patch for security waits.",
}


@verb("outdated", examples=EXAMPLES, exits=(Exit.CHANGES, Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.INTEGRITY, Exit.DECLARATION))
@flag("--security", is_flag=True, help="Only packages that a repository for security offers.")
@flag("--detailed-exitcode", is_flag=True, help="Exit 2 where a package is behind.")
@shared("project", "limit", "exclude", "var")
def outdated(invocation: Invocation, security: bool, detailed_exitcode: bool) -> Exit:  # noqa: FBT001  flags of the command line
    """Show the packages of mutable servers that are behind what their own lists offer: from which version to which, which patches
    are for security as the distribution labels them, and how old the newest is. Lists are not renewed: nothing is changed. Of immutable
    servers: how old the live image is, and which of the packages in it are offered in another version now.
    """  # noqa: D205  the whole paragraph is the help
    rows = invocation.app.outdated()
    shown = tuple(row.only_security() for row in rows) if security else rows
    invocation.screen.show(lambda: documents.outdated(shown), lambda look: outdated_lines(shown, look))
    if any(row.problem for row in shown):
        return Exit.HOSTS_FAILED
    return Exit.CHANGES if detailed_exitcode and any(row.packages for row in shown) else Exit.DONE
