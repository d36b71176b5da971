"""`vitrify retire`: take a server away: what was created for it in place, and its instances."""

from __future__ import annotations

from dataclasses import replace

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_plan import plan_lines
from vitrify.cli.render_report import applied_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.amounts import many
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.plan import Plan
from vitrify.core.report import Applied, Retired

IN_PLACE, INSTANCES = LIVES = ("in-place", "instances")
EXAMPLES = {
    "vitrify retire web": "Take web out of service, after a question.",
    "vitrify retire web -y": "Without asking.",
    "vitrify retire web --host ssh://b": "Only its instances on one host, which it is declared on no more.",
    "vitrify retire web --only instances": "After a flip to mutable: what the hosts do now stays, the instances go.",
}


@verb("retire", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@flag("--only", type=click.Choice(LIVES), default=None, help="Where a server lives both ways after a flip: which one goes.")
@flag("--host", metavar="HOST", default="", help="Of the instances only those on this host, by its name in the declaration.")
@shared("project", "parallel", "wait", "yes")
def retire(invocation: Invocation, server: str, only: str | None, host: str) -> Exit:
    """Take SERVER out of service. Where it is changed in place, everything that vitrify created for it is removed, what it adopted
    stays, and its hosts are forgotten. Where it is immutable, its route is forgotten, its instances are stopped and discarded,
    and none of its releases can be rolled back to. Images and entries in the ledger stay; `vitrify apply` begins anew.
    """  # noqa: D205  the whole paragraph is the help
    screen, app = invocation.screen, invocation.app
    lives = (only,) if only else (INSTANCES,) if host else app.lives(server)
    if len(lives) > 1:
        hint = f"`vitrify retire {server} --only {INSTANCES}` or `--only {IN_PLACE}`; the plan of the flip tells which one is left over"
        raise UsageInvalid(f"{server} is changed in place and has instances as well: both would go", hint=hint)
    in_place = IN_PLACE in lives
    if in_place and host:
        raise UsageInvalid("--host is about instances", hint=f"`vitrify forget {server} --host {host}` lets go of a host in place")
    leaving = app.leaving(server) if in_place else Plan(server, "", ())
    if in_place:
        screen.preview(leaving.to_json, lambda look: plan_lines(leaving, look))
    where = f" on {host}" if host else ""
    screen.say(line(f"Retire {server}{where}: requests to it{' there' if host else ''} will fail."))
    confirm(invocation, "Retire it?")
    applied = app.leave(server, leaving) if in_place else Applied()
    retired = Retired(0) if in_place else app.retire(server, host=host)
    applied, instances = replace(applied, problems=(*applied.problems, *retired.problems)), retired.instances
    told = f"Retired {server}{where}: {many(instances, 'instance')} stopped and discarded."
    end = [line(told)] if instances or not in_place else []
    screen.show(lambda: documents.retired(server, instances, applied), lambda look: [*applied_lines(applied, look), *end])
    return ended(applied)
