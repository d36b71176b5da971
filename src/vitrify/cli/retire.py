"""`vitrify retire`: take a server away: what was created for it in place, and its instances."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_plan import plan_lines
from vitrify.cli.render_report import applied_lines
from vitrify.cli.text import line, many
from vitrify.cli.verb import verb
from vitrify.core.report import Applied

EXAMPLES = {
    "vitrify retire web": "Take web out of service, after a question.",
    "vitrify retire web -y": "Without asking.",
}


@verb("retire", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY))
@click.argument("server")
@shared("project", "parallel", "yes")
def retire(invocation: Invocation, server: str) -> Exit:
    """Take SERVER out of service. Where it is changed in place, everything that vitrify created for it is removed, what it adopted
    stays, and its hosts are forgotten. Where it is immutable, its route is forgotten, its instances are stopped and discarded,
    and none of its releases can be rolled back to. Images and entries in the ledger stay; `vitrify apply` begins anew.
    """  # noqa: D205  the whole paragraph is the help
    screen, app = invocation.screen, invocation.app
    leaving = app.leaving(server)
    in_place = bool(leaving.servers or leaving.problems)
    if in_place:
        screen.preview(leaving.to_json, lambda look: plan_lines(leaving, look))
    screen.say(line(f"Retire {server}: requests to it will fail."))
    confirm(invocation, "Retire it?")
    applied = app.leave(server, leaving) if in_place else Applied()
    instances = app.retire(server, must=not in_place)
    told = f"Retired {server}: {many(instances, 'instance')} stopped and discarded."
    end = [line(told)] if instances or not in_place else []
    screen.show(lambda: documents.retired(server, instances, applied), lambda look: [*applied_lines(applied, look), *end])
    return ended(applied)
