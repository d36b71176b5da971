"""`vitrify apply`: make it so."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid

if TYPE_CHECKING:
    from vitrify.core.plan import Plan

EXAMPLES = {
    "vitrify apply": "Show the plan, ask, and carry it out.",
    "vitrify apply -y -l web": "Only the server web, without asking.",
    "vitrify apply -t motd": "Only resources that are tagged so; what left the declaration stays as it is.",
    "vitrify apply --wait=10m": "Where somebody else is changing the same server, wait for that; without it, exit 6 at once.",
    "vitrify apply plan.json": "Carry out a saved plan exactly, or refuse it; also where it lacks approvals that policy wants.",
}


@verb(
    "apply",
    examples=EXAMPLES,
    exits=(
        Exit.HOSTS_FAILED,
        Exit.UNREACHABLE,
        Exit.DENIED,
        Exit.BUSY,
        Exit.STILL_SERVING,
        Exit.INTEGRITY,
        Exit.DECLARATION,
    ),
)
@click.argument("file", required=False)
@shared("project", "limit", "exclude", "tag", "var", "parallel", "keep_runs", "dead_man", "wait", "yes")
def apply(invocation: Invocation, file: str | None) -> Exit:
    """Show the plan, ask, and carry it out: mutable servers are converged in place, immutable ones get a new release that
    takes over once it is healthy. FILE is a saved plan. Interrupted or killed, the same command finishes what was begun. Where the
    declaration's policy wants approvals, only a saved plan that has them is carried out: exit 5 says whose are missing.
    """  # noqa: D205  the whole paragraph is the help
    plan = _plan(invocation, file)
    from vitrify.cli import documents  # not before: the hosts are being called meanwhile
    from vitrify.cli.render_plan import plan_lines
    from vitrify.cli.render_report import applied_lines

    invocation.app.approved(plan)
    screen = invocation.screen
    screen.preview(plan.to_json, lambda look: plan_lines(plan, look))
    if not plan.empty:
        confirm(invocation, "Apply these changes?")
    # An empty plan is applied as well, unasked: what is as declared already comes under management, and the ledger hears of it.
    applied = invocation.app.apply(plan)
    screen.show(lambda: documents.applied(applied), lambda look: applied_lines(applied, look))
    return ended(applied)


def _plan(invocation: Invocation, file: str | None) -> Plan:
    if file is None:
        return invocation.app.free(invocation.app.plan())
    scope = invocation.scope
    if scope.limit or scope.exclude or scope.tags or scope.environment:
        raise UsageInvalid(
            "a saved plan is applied as it is",
            why="--limit, --exclude, --tag and --env belong to `vitrify plan`, and the plan remembers them",
            hint="leave them out here",
        )
    return invocation.app.saved(file)
