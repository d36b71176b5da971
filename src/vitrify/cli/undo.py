"""`vitrify undo`: take back an in-place change."""

from __future__ import annotations

from collections.abc import Iterator

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_report import applied_lines
from vitrify.cli.text import Line, line
from vitrify.cli.verb import verb
from vitrify.core.amounts import ago
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.report import Applied, ServerStatus, Which

EXAMPLES = {
    "vitrify undo db": "Take back the last apply on every host of db.",
    "vitrify undo db --run 20260301T101500-9c1f2b7e": "Take back that run.",
    "vitrify undo db --back-to 20260301T101500-9c1f2b7e": "Take back that run and every one after it, the newest first.",
    "vitrify undo db --force -y": "Also where somebody changed the same things since; do not ask.",
}


@verb("undo", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@flag("--run", metavar="RUN", default="", help="Which run to take back; the last one where none is named.")
@flag("--back-to", metavar="RUN", default="", help="Take back this run and every one after it, the newest first.")
@flag("--force", is_flag=True, help="Put back even what somebody else has changed since.")
@shared("project", "var", "parallel", "wait", "yes")
def undo(invocation: Invocation, server: str, run: str, back_to: str, force: bool) -> Exit:  # noqa: FBT001  a flag of the command line
    """Put back what the last apply (or the named run) found on each host of a mutable SERVER: contents, modes, owners, links.
    Refused where somebody changed the same things since, unless forced. What cannot be undone is named.
    """  # noqa: D205  the whole paragraph is the help
    if run and back_to:
        raise UsageInvalid("--run and --back-to cannot stand together", hint="--run takes back one run, --back-to every one since")
    which = Which(run or back_to, back=bool(back_to))
    known = next((each for each in invocation.app.status() if each.name == server), None)
    if known and known.lifecycle != "mutable":
        raise UsageInvalid(f"{server} is immutable: its releases are rolled back, not undone", hint=f"`vitrify rollback {server}`")
    if known and not which.run and _untouched(known):
        invocation.screen.show(lambda: documents.undone(Applied()), lambda _: [line(f"Nothing to undo: {server} was never applied.")])
        return Exit.DONE
    invocation.screen.say(*_what(known, server=server, which=which, now=invocation.surroundings.clock()))
    confirm(invocation, "Undo this?")
    undone = invocation.app.undo(server, which=which, force=force)
    invocation.screen.show(lambda: documents.undone(undone), lambda look: applied_lines(undone, look))
    return ended(undone)


def _untouched(server: ServerStatus) -> bool:
    return not (server.last_run or server.unfinished or server.problem)


def _what(known: ServerStatus | None, *, server: str, which: Which, now: float) -> Iterator[Line]:
    if which.run or known is None:
        since = "run {} and every one after it" if which.back else "run {}"
        yield line(f"Undo on {server}: {since.format(which.run) if which.run else 'the last run'}.")
        return
    when = f", {ago(now - known.last_at)} ago" if known.last_at is not None else ""
    by = f" by {known.last_by}" if known.last_by else ""
    yield line(f"Undo on {server} ({', '.join(known.hosts)}): run {known.last_run}{by}{when}.")
