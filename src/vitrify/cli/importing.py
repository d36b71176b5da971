"""`vitrify import`: take what is there under management without touching it."""

from __future__ import annotations

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_plan import plan_lines
from vitrify.cli.render_report import taken_over_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify import -l db": "Manage what on the hosts of db is as declared already; leave the rest as it is.",
    "vitrify import -l db -y -o json": "In a pipeline.",
}


@verb("import", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@shared("project", "limit", "exclude", "var", "parallel", "yes")
def import_(invocation: Invocation) -> Exit:
    """Take mutable servers under management that were set up by hand or by another tool. What is as declared is adopted: it is
    audited from now on, and never removed when it leaves the declaration. What differs is shown and left as it is, for you to
    correct the declaration or to apply it. Nothing on the hosts is touched.
    """  # noqa: D205  the whole paragraph is the help
    planned = invocation.app.plan()
    screen = invocation.screen
    screen.preview(planned.to_json, lambda look: plan_lines(planned, look))
    screen.say(line("Nothing of this is changed: what is as declared is managed from now on, and what differs stays as it is."))
    confirm(invocation, "Take it under management?")
    applied = invocation.app.take_over(planned)
    screen.show(lambda: documents.taken_over(applied, planned), lambda look: taken_over_lines(applied, planned, look))
    return ended(applied)
