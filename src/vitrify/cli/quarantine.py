"""`vitrify quarantine`: what was taken out of the way, back where it was, or gone for good."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import shared
from vitrify.cli.render import Look
from vitrify.cli.render_answers import quarantine_lines
from vitrify.cli.text import Line, line
from vitrify.cli.verb import verb
from vitrify.core.quarantined import Quarantined

_EXITS = (Exit.HOSTS_FAILED, Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY, Exit.DECLARATION)


@click.group("quarantine")
def quarantine() -> None:
    """List what `respond` took out of the way as evidence: paths of hosts and instances; put a path back, or discard either."""


@verb(
    "list",
    examples={
        "vitrify quarantine list": "Of all servers, oldest first on each host.",
        "vitrify quarantine list -l web -o json": "Of web, for a script.",
    },
    exits=_EXITS,
)
@shared("project", "limit", "exclude", "var")
def list_(invocation: Invocation) -> Exit:
    """Tell what is in quarantine: what it was, where, since when, and the finding in the ledger. Changes nothing."""
    found = invocation.app.quarantined()
    return _told(invocation, found, lambda look: quarantine_lines(found, look))


@verb(
    "put-back",
    examples={
        "vitrify quarantine put-back 5f1c20-118": "It was ours after all: where it was, as it was.",
        "vitrify quarantine put-back /srv/app/new -y": "What was there last, without asking.",
    },
    exits=_EXITS,
)
@click.argument("name")
@shared("project", "limit", "exclude", "var", "wait", "yes")
def put_back(invocation: Invocation, name: str) -> Exit:
    """Move NAME, or what was at the path NAME, back to where it was, with all that it had; refused where something else is there by now,
    and for an instance, which never runs again. The next audit finds it again: `audit accept` lets it stay.
    """  # noqa: D205  the whole paragraph is the help
    invocation.screen.say(line(f"Put back what is in quarantine as {name}."))
    confirm(invocation, "Put it back?")
    found = invocation.app.put_back(name)
    stays = f"`vitrify audit accept {found.path} --reason TEXT` lets it stay."
    return _told(invocation, [found], lambda _: [line(f"Back where it was: {found.path} on {found.host}. {stays}")])


@verb(
    "discard",
    examples={
        "vitrify quarantine discard 5f1c20-118": "A path, for good.",
        "vitrify quarantine discard web-r3-0011aabb-0": "An instance, with all that it wrote.",
    },
    exits=_EXITS,
)
@click.argument("name")
@shared("project", "limit", "exclude", "var", "wait", "yes")
def discard(invocation: Invocation, name: str) -> Exit:
    """Remove NAME, or what was at the path NAME last, for good. What it was stays in the ledger."""
    invocation.screen.say(line(f"Remove for good what is in quarantine as {name}."))
    confirm(invocation, "Remove it?")
    found = invocation.app.discard_evidence(name)
    return _told(invocation, [found], lambda _: [line(f"Gone: {found.path or found.id} of {found.server} on {found.host}.")])


def _told(invocation: Invocation, found: Sequence[Quarantined], lines: Callable[[Look], Iterable[Line]]) -> Exit:
    invocation.screen.show(lambda: documents.document("quarantine", entries=[one.to_json() for one in found]), lines)
    return Exit.DONE


for each in (list_, put_back, discard):
    quarantine.add_command(each)
