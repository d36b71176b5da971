"""`vitrify inventory`: bring in what other tools know about hosts."""

from __future__ import annotations

from pathlib import Path

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import FORMATS, flag, shared
from vitrify.cli.text import Span, Style, line
from vitrify.cli.verb import verb
from vitrify.core.amounts import many
from vitrify.core.diagnostic import UsageInvalid

FORMS = ("ansible-ini", "ansible-yaml", "ssh-config", "script")

EXAMPLES = {
    "vitrify inventory import hosts.ini --format ansible-ini": "Print groups and variables for a vitrify.yaml.",
    "vitrify inventory import hosts.yml --format ansible-yaml -o groups.yaml": "Write them to a file.",
    "vitrify inventory import ./cloud.py --format script": "Ask a program that answers --list.",
}


@click.group("inventory")
def inventory() -> None:
    """Bring in what other tools know about hosts, as groups of a declaration."""


@verb("import", examples=EXAMPLES, exits=(Exit.DECLARATION,))
@click.argument("file")
@flag("--format", "form", type=click.Choice(FORMS), required=True, help="What FILE is.")
@flag("--out", metavar="FILE", default="", help="Write the YAML to FILE.")
@shared("output_or_file")
def bring_in(invocation: Invocation, file: str, form: str, out: str) -> Exit:
    """Read the inventory FILE of another tool and print it as `groups` and `vars` of a declaration. Whatever has no place there, or
    another meaning, is told on stderr with its line.
    """  # noqa: D205  the whole paragraph is the help
    from vitrify import reading

    found = reading.import_inventory(file, form, environ=invocation.surroundings.environ)
    target = out or ("" if invocation.output in FORMATS else invocation.output)
    for remark in found.remarks:
        invocation.screen.say(line(Span("note: ", Style.CHANGED), remark))
    if not target:
        shown = found.text.removesuffix("\n").split("\n")
        invocation.screen.show(lambda: documents.document("inventory", **found.to_json()), lambda _: [line(each) for each in shown])
        return Exit.DONE
    try:
        Path(target).write_text(found.text, encoding="utf-8")
    except OSError as error:
        raise UsageInvalid(f"{target} cannot be written", why=error.strerror or "") from None
    invocation.screen.say(line(f"Written: {many(len(found.groups), 'group')}, {many(len(found.remarks), 'note')}."))
    return Exit.DONE


inventory.add_command(bring_in)
