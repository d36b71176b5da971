"""`vitrify assess`: what mutable and immutable cost here, measured."""

from __future__ import annotations

import click

from vitrify import __version__
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_assess import assess_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify assess": "Every server over the last 30 days, and which one to flip next.",
    "vitrify assess --days 90 -v": "Over a quarter, with every figure spelt out.",
    "vitrify assess --limit db -o json": "One server, for a program to read.",
    "vitrify assess --page assess.html": "Also write it down as a page for people.",
}


@verb("assess", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.INTEGRITY, Exit.DECLARATION))
@flag("--days", type=click.IntRange(min=1, max=3650), metavar="DAYS", default=30, show_default=True, help="So many days until now.")
@flag("--page", metavar="FILE", default="", help="Also write it to FILE, as an HTML page that stands alone.")
@shared("project", "limit", "exclude", "var", "parallel")
def assess(invocation: Invocation, days: int, page: str) -> Exit:
    """Measure what the choice between mutable and immutable costs each server: unauthorised changes a day and in all, since when it was
    not patched, the time that a change and the way back take, instances more in a rollout, bytes of a change, and how much of what was
    changed is commands. All of it from the ledger and the hosts; what nobody measured is told as not known, and why. Then what follows:
    which server to flip next, and what is in the way. Changes nothing.
    """  # noqa: D205  the whole paragraph is the help
    if page:
        invocation.app.writable(page)
    found = invocation.app.assess(days=days)
    invocation.screen.show(found.to_json, lambda look: assess_lines(found, look))
    if page:
        from vitrify.core.assess.page import page as written

        invocation.app.write(written(found, version=__version__), page)
        invocation.screen.say(line(f"Written: {page} (html)"))
    return Exit.HOSTS_FAILED if found.problems else Exit.DONE
