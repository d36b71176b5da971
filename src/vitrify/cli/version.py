"""`vitrify version`: which vitrify this is."""

from __future__ import annotations

import sys

from vitrify import __version__
from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb

EXAMPLES = {"vitrify version": "For a person.", "vitrify version -o json": "For a program."}


@verb("version", examples=EXAMPLES)
@shared()
def version(invocation: Invocation) -> Exit:
    """Show the version of vitrify and of the Python that runs it."""
    python = ".".join(str(part) for part in sys.version_info[:3])
    invocation.screen.show(
        lambda: documents.document("version", version=__version__, python=python),
        lambda _: [line(f"vitrify {__version__} (Python {python})")],
    )
    return Exit.DONE
