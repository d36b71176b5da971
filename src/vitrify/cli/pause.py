"""`vitrify pause`: hold requests for a moment."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import Duration, flag, shared
from vitrify.cli.render_report import applied_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify pause web": "Hold new requests, each for 30 seconds at most, until `vitrify resume web`.",
    "vitrify pause web --at-most 5s -y": "Each for 5 seconds, without asking.",
    "vitrify pause web --at-most 0s": "Turn them away as soon as the router can: maintenance.",
}
LONGEST = 3600.0
"""Seconds: nobody waits longer for an answer."""


@verb("pause", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY))
@click.argument("server")
@flag("--at-most", type=Duration(), metavar="DURATION", default=30.0, show_default="30s", help="How long one request is held.")
@shared("project", "wait", "yes")
def pause(invocation: Invocation, server: str, at_most: float) -> Exit:
    """Hold new requests to SERVER and let those under way finish. `vitrify resume` lets through what was held; so does the next
    switch, of a release or a rollback. Who waited as long as --at-most allows is told to come again (503). The health path of the
    route is answered all the while. On several hosts requests are held on all of them, or on none.
    """  # noqa: D205  the whole paragraph is the help
    if at_most > LONGEST:
        raise click.UsageError("--at-most: nobody waits longer than an hour for an answer.")
    told = f"new requests are held for {at_most:g} s at most" if at_most else "new requests are turned away"
    invocation.screen.say(line(f"Pause {server}: {told}, until `vitrify resume {server}`."))
    confirm(invocation, "Pause it?")
    applied = invocation.app.pause(server, at_most=at_most)
    done = line(f"Paused: {told}. `vitrify resume {server}` lets them through.")
    invocation.screen.show(
        lambda: documents.paused(server, applied, paused=not applied.failed),
        lambda look: applied_lines(applied, look) if applied.failed else (done,),
    )
    return ended(applied)
