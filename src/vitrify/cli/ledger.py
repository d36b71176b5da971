"""`vitrify ledger`: read and verify the record."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_ledger import entry_lines
from vitrify.cli.render_report import verified_lines
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import IntegrityFailed


@click.group("ledger")
def ledger() -> None:
    """Read and verify the tamper-evident record of every plan, apply, release, switch, rollback and finding."""


@verb(
    "show",
    examples={"vitrify ledger show": "The newest entries.", "vitrify ledger show -n 100 -o json": "A hundred of them, with their bodies."},
    exits=(Exit.INTEGRITY,),
)
@flag("-n", "--last", type=click.IntRange(min=1), default=20, metavar="COUNT", help="How many entries, from the end.")
@shared("project")
def show(invocation: Invocation, last: int) -> Exit:
    """List the newest entries of the project's ledger, oldest first: number, time, author, kind and what they say."""
    found = invocation.app.entries(last=last)
    invocation.screen.show(lambda: documents.entries(found), lambda look: entry_lines(found, look))
    return Exit.DONE


@verb(
    "verify",
    examples={"vitrify ledger verify": "The project's own ledger.", "vitrify ledger verify ./copy": "A copy of it, from anywhere."},
    exits=(Exit.INTEGRITY,),
)
@click.argument("path", default="")
@shared("project")
def verify(invocation: Invocation, path: str) -> Exit:
    """Check the project's ledger, or a copy of it at PATH, from its bytes: every entry is under the signed root, nothing was
    rewritten, reordered or cut off, and known keys signed it. Exit 8 where that does not hold.
    """  # noqa: D205  the whole paragraph is the help
    verified = invocation.app.verify(path)
    invocation.screen.show(lambda: documents.verified(verified), lambda _: verified_lines(verified))
    if verified.problems:
        first, *more = verified.problems
        raise IntegrityFailed(
            f"the ledger {verified.origin} does not hold",
            why=f"{first}{f', and {len(more)} more' if more else ''}",
            hint="keep this copy as it is, and compare it with the hosts' own entries",
        )
    return Exit.DONE


ledger.add_command(show)
ledger.add_command(verify)
