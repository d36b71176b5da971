"""`vitrify schema`: the JSON Schema that editors check a declaration with."""

from __future__ import annotations

import json
from pathlib import Path

from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid

EXAMPLES = {
    "vitrify schema": "Print it.",
    "vitrify schema --out vitrify.schema.json": (
        "Write it beside the declaration, whose first line then says: # yaml-language-server: $schema=vitrify.schema.json"
    ),
}


@verb("schema", examples=EXAMPLES)
@flag("--out", metavar="FILE", default="", help="Write it to FILE instead.")
@shared()
def schema(invocation: Invocation, out: str) -> Exit:
    """Print the JSON Schema of a declaration, with every key and every kind of this version: editors complete and check with it."""
    from vitrify import reading

    document = reading.schema()
    text = json.dumps(document, indent=2)
    if not out:
        invocation.screen.show(lambda: document, lambda _: [line(each) for each in text.split("\n")])
        return Exit.DONE
    try:
        Path(out).write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise UsageInvalid(f"{out} cannot be written", why=error.strerror or "") from None
    invocation.screen.say(line(f"Written. `# yaml-language-server: $schema={out}` in the first line of a declaration lets editors use it."))
    return Exit.DONE
