"""`vitrify serve`: somebody who looks after the servers while nobody else does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import Line, Span, Style, line, table
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.served import BUSY, DONE, UNREACHABLE, Served, Turn

if TYPE_CHECKING:
    from vitrify.cli.render import Look

EXAMPLES = {
    "vitrify serve": "Look after all servers until Ctrl-C; metrics on a socket that only you can open.",
    "vitrify serve --listen 127.0.0.1:9464": "Metrics at http://127.0.0.1:9464/metrics, health at /health.",
    "vitrify serve --once": "One turn of each duty, then the end: for cron, for a timer, for a pipeline.",
    "vitrify serve --install": "Have systemd keep it running, from now on and after each start of this machine.",
}


@verb("serve", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@flag(
    "--listen",
    metavar="ADDRESS",
    default="",
    help="Where to tell metrics: a loopback HOST:PORT, or unix:PATH.",
)
@flag("--once", is_flag=True, help="Do each duty once and end.")
@flag("--install", is_flag=True, help="Have systemd keep it running for this project.")
@flag("--uninstall", is_flag=True, help="Take that back; what runs goes on running.")
@shared("project", "limit", "exclude", "var", "parallel")
def serve(invocation: Invocation, listen: str, once: bool, install: bool, uninstall: bool) -> Exit:  # noqa: FBT001  flags of the command line
    """Look after the servers, each at the intervals of its `schedule`: replace instances that ended or do not pass their health check,
    carry out contracts that are due, take away what is over, audit. It keeps nothing to itself and no lease for longer than one act:
    kill it, and start it again, at any moment. Exit 6 where another process looks after this project already.
    """  # noqa: D205  the whole paragraph is the help
    if once + install + uninstall > 1:
        raise UsageInvalid("--once, --install and --uninstall are three different things", hint="give one of them")
    if install:
        invocation.screen.say(line(f"Installed and started: {invocation.app.install_serve(listen=listen)}"))
        return Exit.DONE
    if uninstall:
        gone = invocation.app.uninstall_serve()
        invocation.screen.say(line(f"Ended and taken away: {gone}" if gone else "There is no unit of this project."))
        return Exit.DONE
    if not once:
        invocation.screen.date()
    served = invocation.app.serve(listen=listen, once=once)
    invocation.screen.show(served.to_json, lambda look: turn_lines(served, look))
    return ended(served.turns)


def ended(turns: Iterable[Turn]) -> Exit:
    """What failed counts before what could not be reached, or was somebody else's."""
    outcomes = {turn.outcome for turn in turns} - {DONE}
    if not outcomes:
        return Exit.DONE
    if outcomes <= {BUSY}:
        return Exit.BUSY
    return Exit.UNREACHABLE if outcomes <= {BUSY, UNREACHABLE} else Exit.HOSTS_FAILED


def turn_lines(served: Served, look: Look) -> Iterator[Line]:
    """One row for each turn."""
    rows = [(turn.duty, turn.server or "all servers", turn.host, _outcome(turn), turn.told) for turn in served.turns]
    yield from table(("duty", "server", "host", "outcome", "what"), rows, width=None if look.verbose else look.width)


def _outcome(turn: Turn) -> Span:
    return Span(turn.outcome, Style.ADDED if turn.outcome == DONE else Style.CHANGED if turn.outcome == BUSY else Style.ALARM)
