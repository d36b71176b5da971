"""`vitrify audit`: no drift unseen."""

from __future__ import annotations

from difflib import get_close_matches
from typing import TypedDict, Unpack

import click

from vitrify.cli.exits import Exit, unseen
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_audit import audit_lines, trend_lines
from vitrify.cli.text import line
from vitrify.cli.verb import verb
from vitrify.core.audit_report.forms import FORMS
from vitrify.core.drift import REREAD

EXAMPLES = {
    "vitrify audit": "Look at everything; files that did not move since the last look are not read again.",
    "vitrify audit --full": "Read every byte, with all cores of each host.",
    "vitrify audit --reread 10": "Read a tenth of what seems not to have moved, another one each time.",
    "vitrify audit --detailed-exitcode": "In a pipeline: exit 2 where something is unauthorised.",
    "vitrify audit --report sarif=audit.sarif --report html=audit.html": "Also write it down for a code-scanning screen, and for people.",
    "vitrify audit --trend 30": "Also tell how soon drift was found and put right in the last 30 days.",
}
_PAGE_DAYS = 30
"""The page always has a trend: of so many days where --trend does not say."""

Wanted = tuple[tuple[str, str], ...]
"""Form and file of each report."""


class Look(TypedDict):
    """How to look."""

    full: bool
    reread: float


def _wanted(_: click.Context, __: click.Parameter, given: tuple[str, ...]) -> Wanted:
    found: dict[str, str] = {}
    for each in given:
        form, _equals, path = each.partition("=")
        if form not in FORMS:
            near = get_close_matches(form, FORMS, n=1)
            raise click.BadParameter(f"{form!r} is not one of {', '.join(FORMS)}.{f' Did you mean {near[0]!r}?' if near else ''}")
        if not path:
            raise click.BadParameter(f"{each!r} names no file: {form}=FILE.")
        if path in found:
            raise click.BadParameter(f"{path!r} cannot be {found[path]} and {form}.")
        found[path] = form
    return tuple((form, path) for path, form in found.items())


@verb("audit", examples=EXAMPLES, exits=(Exit.CHANGES, Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION))
@flag("--full", is_flag=True, help="Read every byte, also of files that seem not to have moved.")
@flag(
    "--reread",
    type=click.FloatRange(0, 100),
    default=REREAD,
    metavar="PERCENT",
    help="So much of the folders is read although nothing in them seems to have moved, others at each audit; by default 2.",
)
@flag(
    "--report",
    metavar="FORMAT=FILE",
    multiple=True,
    callback=_wanted,
    help=f"Also write what was found to FILE: {', '.join(FORMS)}. Repeatable.",
)
@flag(
    "--trend",
    type=click.IntRange(min=1, max=3650),
    metavar="DAYS",
    default=None,
    help="Also tell from the ledger how soon drift was found and put right, and how much of it there was a day.",
)
@flag("--noise", is_flag=True, help="Show differences that were to be expected as well, each with the rule that says so.")
@flag("--detailed-exitcode", is_flag=True, help="Exit 2 where an unauthorised difference was found.")
@shared("project", "limit", "exclude", "var")
def audit(invocation: Invocation, *, report: Wanted, trend: int | None, noise: bool, detailed_exitcode: bool, **look: Unpack[Look]) -> Exit:
    """Compare what runs with what was declared and with what vitrify was authorised to do. Every difference is classed (authorised,
    package manager, declared noise, unauthorised) with its evidence and what apply would do about it. Changes nothing.
    """  # noqa: D205  the whole paragraph is the help
    app, screen = invocation.app, invocation.screen
    for _, path in report:
        app.writable(path)
    found = app.audit(**look)
    told = app.reported(found, days=trend or 0)
    screen.show(told.to_json, lambda seen: [*trend_lines(told.trend, seen), *audit_lines(found, seen, noise=noise)])
    for form, path in report:
        whole = app.reported(found, days=_PAGE_DAYS) if form == "html" and not trend else told
        app.write(FORMS[form](whole), path)
        screen.say(line(f"Written: {path} ({form})"))
    if found.rewritten:
        return Exit.INTEGRITY
    return Exit.CHANGES if detailed_exitcode and found.unauthorised else unseen(found.problems)
