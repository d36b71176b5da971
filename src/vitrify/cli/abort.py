"""`vitrify abort`: take back a rollout that has not ended."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit, ended
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_report import problem_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify abort web": "Take back the rollout of web that waits or was interrupted, after a question.",
    "vitrify abort web -y": "Without asking.",
}


@verb("abort", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@shared("project", "var", "parallel", "wait", "yes")
def abort(invocation: Invocation, server: str) -> Exit:
    """Take back the rollout of SERVER that waits or was interrupted: what served before gets all requests again, and the new
    instances are stopped and discarded, on every host. Once a release is proved and the old instances leave, there is only
    `rollback`: exit 5. A host that cannot be reached is told (exit 4), and taken back by the same command later.
    """  # noqa: D205  the whole paragraph is the help
    release, live = invocation.app.abortion(server)
    serving = f"release {live} serves on" if live else "nothing served before, and nothing will"
    invocation.screen.say(line(f"Abort {server}: release {release} is taken back; {serving}."))
    confirm(invocation, "Take it back?")
    applied = invocation.app.abort(server)
    told = (line(f"Taken back: release {release} of {server}; {serving}."),) if applied.releases else ()
    invocation.screen.show(lambda: documents.aborted(server, release, live, applied), lambda _: (*told, *problem_lines(applied.problems)))
    return ended(applied)
