"""`vitrify approve`: sign a saved plan."""

from __future__ import annotations

from collections.abc import Iterator

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.text import Line, Span, Style, line, strong
from vitrify.cli.verb import verb
from vitrify.core.digest import JSONObject
from vitrify.core.ledger_report import Approved


@verb(
    "approve",
    examples={
        "vitrify approve plan.json": "Your signature, bound to exactly these changes.",
        "vitrify approve plan.json -o json": "And who has signed so far, for a script.",
    },
    exits=(Exit.DENIED, Exit.INTEGRITY),
)
@click.argument("file")
@shared("project", "var")
def approve(invocation: Invocation, file: str) -> Exit:
    """Add your signature to the saved plan FILE, by your key of `vitrify.keys`. It binds the digest of the plan: whoever changes a byte of
    what it would do has a plan that nobody approved. Read it first: `vitrify plan -o FILE` showed it. Exit 8 where FILE was altered.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.approve(file)
    invocation.screen.show(lambda: _document(found), lambda _: _lines(found))
    return Exit.DONE


def _document(found: Approved) -> JSONObject:
    return documents.document(
        "approved", plan=found.plan, key=found.key, by=[*found.by], wrong=[*found.wrong], demands=[dict(one) for one in found.demands]
    )


def _lines(found: Approved) -> Iterator[Line]:
    yield line(Span("ok ", Style.ADDED), "approved by ", strong(", ".join(found.by)), f": {found.plan}")
    yield from (line(Span("! ", Style.CHANGED), f"does not count: {one}") for one in found.wrong)
    for one in found.demands:
        given, missing = one["given"], one["missing"]
        count = len(given) if isinstance(given, list) else 0
        rest = f"; missing: {', '.join(map(str, missing))}" if isinstance(missing, list) and missing else ""
        yield line(strong(str(one["server"])), f": {count} of {one['required']} approvals{rest}")
