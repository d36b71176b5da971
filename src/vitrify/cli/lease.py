"""`vitrify lease`: who may change a server right now, and taking that away."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_lease import lease_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid


@click.group("lease")
def lease() -> None:
    """Show who is changing a server right now, and take that right away from somebody who will never give it back."""


@verb(
    "show",
    examples={"vitrify lease show": "Of every server on each of its hosts.", "vitrify lease show web -o json": "Of web, for a script."},
    exits=(Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("server", default="")
@shared("project", "limit", "exclude", "var", "parallel")
def show(invocation: Invocation, server: str) -> Exit:
    """Tell who holds the lease of SERVER (or of every server) on each host, or held the last one: since when, until when unless it
    is renewed, what for, and by which token. Changes nothing.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.leases(server)
    invocation.screen.show(lambda: documents.leases(found), lambda look: lease_lines(found, look))
    return Exit.DONE


@verb(
    "release",
    examples={
        "vitrify lease release web --reason 'the laptop of ada is lost'": "Nobody has to wait until it runs out by itself.",
        "vitrify lease release web --reason gone -y": "Without asking.",
    },
    exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION),
)
@click.argument("server")
@flag("--reason", metavar="TEXT", default="", help="Why; it is recorded in the ledger, and told to whoever had the lease.")
@shared("project", "var", "yes")
def release(invocation: Invocation, server: str, reason: str) -> Exit:
    """Take the lease of SERVER away from whoever holds it: they can change nothing by it any more, and what they left unfinished is
    finished by the next command. A lease that nobody renews runs out by itself within a minute, so this is hardly ever needed. Exit 6
    where its host is in the middle of a change.
    """  # noqa: D205  the whole paragraph is the help
    if not reason.strip():
        raise UsageInvalid("a lease is taken away for a reason", hint=f"vitrify lease release {server} --reason '...'")
    held = [one for one in invocation.app.leases(server) if one.standing]
    for one in held:
        invocation.screen.say(line(f"Take away the lease of {one.server} on {one.host} that {one.by} has ({one.reason})."))
    if held:
        confirm(invocation, "Take it away?")
    taken = invocation.app.release_lease(server, reason=reason.strip())
    told = [line(f"Taken away: the lease of {one.server} on {one.host} that {one.by} had, token {one.token}.") for one in taken]
    invocation.screen.show(lambda: documents.leases(taken), lambda _: told)
    return Exit.DONE


lease.add_command(show)
lease.add_command(release)
