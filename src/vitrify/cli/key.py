"""`vitrify key`: who may sign for a project, and what becomes of a key that is replaced, lost or stolen."""

from __future__ import annotations

import re

import click

from vitrify.cli import documents
from vitrify.cli.confirm import confirm
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_ledger import key_lines, short_key
from vitrify.cli.text import Line, Span, Style, line
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import UsageInvalid
from vitrify.core.digest import JSONObject
from vitrify.core.ledger_report import KeyMoved

_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


@click.group("key")
def key() -> None:
    """List the keys of a project, replace your own, revoke one that was lost or stolen. Each change is an entry of the ledger."""


@verb("list", examples={"vitrify key list": "Whose signatures count, and for what."})
@shared("project")
def list_(invocation: Invocation) -> Exit:
    """List the keys of `vitrify.keys`: authors, former ones with the last entry that they may have signed, and witnesses."""
    found = invocation.app.known_keys()
    invocation.screen.show(
        lambda: documents.document(
            "keys",
            keys=[
                {"key": one.key, "state": one.state, "ours": one.ours, "size": one.size, "until": one.until, "url": one.url}
                for one in found
            ],
        ),
        lambda look: key_lines(found, look),
    )
    return Exit.DONE


@verb(
    "rotate",
    examples={
        "vitrify key rotate": "A new key for you, here and in every project where you say so again.",
        "vitrify key rotate --until 2027-12-31": "And one that must be replaced by then.",
    },
    exits=(Exit.INTEGRITY,),
)
@flag("--until", metavar="DAY", default="", help="The new key signs nothing from this day on: 2027-12-31.")
@shared("project", "yes")
def rotate(invocation: Invocation, until: str) -> Exit:
    """Replace your key: the old one signs an entry that names the new one, and counts no more for anything after it. Commit
    `vitrify.keys` afterwards. In your other projects, run the same command: the new key takes the old one's place there as well.
    """  # noqa: D205  the whole paragraph is the help
    _refuse_no_day(until)
    confirm(invocation, "Replace your key in this project?")
    moved = invocation.app.rotate(until=until)
    told = f"{short_key(moved.key)} counts up to entry {moved.size - 1}; {short_key(moved.new)} signs from now on. Commit vitrify.keys."
    return _told(invocation, moved, line(Span("ok ", Style.ADDED), told))


@verb(
    "revoke",
    examples={
        "vitrify key revoke bert@desk --lost": "The disk is gone, and nobody else has it: what it signed stays signed.",
        "vitrify key revoke bert@desk --stolen --since 4711": "Nothing that it signed from entry 4711 on is believed.",
    },
    exits=(Exit.DENIED, Exit.INTEGRITY),
)
@click.argument("key_", metavar="KEY")
@flag("--lost", is_flag=True, help="It is gone, and nobody has it.")
@flag("--stolen", is_flag=True, help="Somebody else has it: its signatures under images count no more, either.")
@flag("--since", type=click.IntRange(min=0), default=None, metavar="ENTRY", help="The first entry that its owner did not write.")
@shared("project", "yes")
def revoke(invocation: Invocation, key_: str, since: int | None, *, lost: bool, stolen: bool) -> Exit:
    """Let KEY (a name, an id, or both) count no more: an entry says so, and `vitrify.keys` afterwards, which you commit. Your own is
    replaced first, with `vitrify key rotate`.
    """  # noqa: D205  the whole paragraph is the help
    if lost == stolen:
        raise UsageInvalid("a key is revoked because it was lost, or because it was stolen", hint="--lost or --stolen")
    confirm(invocation, f"Let {key_} count no more?")
    moved = invocation.app.revoke(key_, why="stolen" if stolen else "lost", since=since)
    told = f"{short_key(moved.key)} may have signed the first {moved.size} entries, and nothing after. Commit vitrify.keys."
    return _told(invocation, moved, line(Span("ok ", Style.ADDED), told))


def _refuse_no_day(until: str) -> None:
    if until and not _DAY.fullmatch(until):
        raise UsageInvalid(f"{until!r} is no day", hint="as in 2027-12-31")


def _told(invocation: Invocation, moved: KeyMoved, told: Line) -> Exit:
    said: JSONObject = {"key": moved.key, "state": moved.state, "entry": moved.entry, "size": moved.size, "new": moved.new}
    invocation.screen.show(lambda: documents.document("key-moved", **said), lambda _: [told])
    return Exit.DONE


for _verb in (list_, rotate, revoke):
    key.add_command(_verb)
