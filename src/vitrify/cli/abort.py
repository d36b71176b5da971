"""`vitrify abort`: take back a rollout that has not ended."""

from __future__ import annotations

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify abort web": "Take back the rollout of web that waits or was interrupted, after a question.",
    "vitrify abort web -y": "Without asking.",
}


@verb("abort", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DENIED, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@click.argument("server")
@shared("project", "var", "wait", "yes")
def abort(invocation: Invocation, server: str) -> Exit:
    """Take back the rollout of SERVER that waits or was interrupted: what served before gets all requests again, and the new
    instances are stopped and discarded. Once a release is proved and the old instances leave, there is only `rollback`: exit 5.
    """  # noqa: D205  the whole paragraph is the help
    release, live = invocation.app.abortion(server)
    serving = f"release {live} serves on" if live else "nothing served before, and nothing will"
    invocation.screen.say(line(f"Abort {server}: release {release} is taken back; {serving}."))
    confirm(invocation, "Take it back?")
    invocation.app.abort(server)
    told = line(f"Taken back: release {release} of {server}; {serving}.")
    invocation.screen.show(lambda: documents.aborted(server, release, live), lambda _: [told])
    return Exit.DONE
