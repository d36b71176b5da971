"""`vitrify releases`: what was put forward, and what is still warm."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit, unseen
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render_report import problem_lines, release_lines
from vitrify.cli.text import Line
from vitrify.cli.verb import verb

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.host_report import ReleasesTold

EXAMPLES = {
    "vitrify releases": "The releases of every immutable server.",
    "vitrify releases web -v": "Those of web, with whole digests.",
}


@verb("releases", examples=EXAMPLES, exits=(Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.DECLARATION))
@click.argument("server", default="")
@shared("project")
def releases(invocation: Invocation, server: str) -> Exit:
    """List the releases of SERVER, or of all servers, newest first: number, state, slot, how many instances run, image. Instances
    on a host that cannot be reached are not counted, and the host is told: exit 4.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.releases(server)
    invocation.screen.show(lambda: documents.releases(found), lambda look: _lines(found, look))
    return unseen(found.problems)


def _lines(found: ReleasesTold, look: Look) -> Iterator[Line]:
    yield from release_lines(found.rows, look)
    yield from problem_lines(found.problems)
