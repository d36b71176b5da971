"""`vitrify contract`: carry out the second half of a migration."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import Line, Span, Style, faint, line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.migrated import Contracted, Owed

EXAMPLES = {
    "vitrify contract web": "Carry out what the live release of web owes, after a question.",
    "vitrify contract web --now -y": "Without waiting for the rollback window to end, and without asking.",
    "vitrify contract web --skip": "Never: what a newer release declares takes its place.",
}


@verb("contract", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@flag("--now", is_flag=True, help="Do not wait for the rollback window to end.")
@flag("--skip", is_flag=True, help="Pass it over for good.")
@shared("project", "var", "wait", "yes")
def contract(invocation: Invocation, server: str, *, now: bool, skip: bool) -> Exit:
    """Carry out the `contract` of SERVER's live release: what takes away that only the former release needed. The next
    `apply` does the same, once the former release is not kept warm any more. From then on nothing can be rolled back behind it.
    """  # noqa: D205  the whole paragraph is the help
    if now and skip:
        raise UsageInvalid("--now carries it out, and --skip does not", hint="give one of them")
    owed = invocation.app.owed(server)
    invocation.screen.say(*_told(owed, skip=skip))
    confirm(invocation, "Pass it over?" if skip else "Contract?")
    done = invocation.app.contract(server, now=now, skip=skip)
    invocation.screen.show(lambda: documents.contracted(done), lambda _: [_ended(done)])
    return Exit.DONE


def _told(owed: Owed, *, skip: bool) -> list[Line]:
    head = f"{'Pass over' if skip else 'Contract'} {owed.server} release {owed.release}"
    then = "; what was begun of it stays" if skip and owed.begun else "" if skip else "; no release before it can become live again"
    return [line(f"{head}{then}:"), *(line("    ", faint(command)) for command in owed.commands)]


def _ended(done: Contracted) -> Line:
    if done.skipped:
        return line(Span("  ! ", Style.CHANGED), f"The contract of {done.server} release {done.release} is passed over.")
    return line(Span(" ok ", Style.ADDED), f"{done.server} release {done.release} is contracted.", faint(f"  {done.seconds:.1f} s"))
