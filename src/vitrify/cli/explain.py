"""`vitrify explain`: where the value of a variable comes from."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.text import BLANK, Line, Span, Style, faint, line, strong
from vitrify.cli.verb import verb

if TYPE_CHECKING:
    from vitrify.core.digest import JSON
    from vitrify.core.report import Explained, Said

EXAMPLES = {
    "vitrify explain workers --host local": "The value on this machine, and what it overrode.",
    "vitrify explain workers -e prod": "On every host, in the environment prod.",
    "vitrify explain workers -o json": "The same as a document.",
}


@verb("explain", examples=EXAMPLES, exits=(Exit.DECLARATION,))
@click.argument("variable")
@flag("--host", metavar="HOST", default="", help="Only on this host, as in local or db1.example.")
@shared("project", "var")
def explain(invocation: Invocation, variable: str, host: str) -> Exit:
    """Show the value of a variable on each host, who gives it, in which file and line, and what it overrode. A value `secret:NAME`
    is shown as that: no secret is read.
    """  # noqa: D205  the whole paragraph is the help
    from vitrify import reading

    scope = invocation.scope
    found = reading.explain(scope.folder, variable, host=host, environment=scope.environment, overrides=scope.overrides)
    every: list[JSON] = [one.to_json() for one in found]
    invocation.screen.show(
        lambda: documents.document("explained", variable=variable, hosts=every),
        lambda _: [each for one in found for each in _lines(one)][1:],
    )
    return Exit.DONE


def _lines(found: Explained) -> Iterator[Line]:
    *overrode, holds = found.said
    yield BLANK
    yield line(strong(found.server), " on ", Span(found.host, Style.PLACE))
    yield line("  ", strong(_value(holds.value)), "  ", holds.by, *_place(holds))
    for one in reversed(overrode):
        yield line("  ", faint(f"{_value(one.value)}  {one.by}"), *_place(one), faint("  overridden"))


def _place(said: Said) -> tuple[Span, ...]:
    return (Span(f"  {said.where}", Style.PLACE),) if said.where else ()


def _value(value: JSON) -> str:
    return json.dumps(value, ensure_ascii=False)
