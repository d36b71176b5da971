"""`vitrify init`: begin a project."""

from __future__ import annotations

from pathlib import Path

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import Line, Span, Style, line
from vitrify.cli.verb import verb

EXAMPLES = {
    "vitrify init": "Begin in this folder.",
    "vitrify init shop --name shop": "Begin in the folder shop, which is made if need be.",
}


@verb("init", examples=EXAMPLES)
@click.argument("folder", metavar="[DIR]", default=".")
@flag("--name", metavar="NAME", default="", help="The project's name; the folder's where none is given.")
@shared()
def init(invocation: Invocation, folder: str, name: str) -> Exit:
    """Write a commented declaration and a small example to start from. A file that exists is never overwritten."""
    written = invocation.app.init(folder, name=name or Path(folder).absolute().name)
    invocation.screen.show(lambda: documents.document("init", files=[*written]), lambda _: [_line(path) for path in written])
    invocation.screen.say(line(f"Next: `vitrify plan{'' if folder == '.' else f' -C {folder}'}` shows what this declaration would do."))
    return Exit.DONE


def _line(path: str) -> Line:
    return line(Span("+ ", Style.ADDED), path)
