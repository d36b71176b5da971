"""`vitrify store`: what is kept of images, what may go, and whether all of it is what it should be."""

from __future__ import annotations

from datetime import UTC, datetime

import click

from vitrify.cli import documents
from vitrify.cli.exits import Exit
from vitrify.cli.invocation import Invocation
from vitrify.cli.options import flag, shared
from vitrify.cli.render_store import checked_lines, collected_lines, pin_lines
from vitrify.cli.verb import verb
from vitrify.core.diagnostic import IntegrityFailed, UsageInvalid


@click.group("store")
def store() -> None:
    """Keep the image store small, and keep what must be kept: collect what no release needs, pin images, check every byte."""


@verb(
    "collect",
    examples={
        "vitrify store collect --dry-run": "What would go, and how many bytes that are.",
        "vitrify store collect": "Let it go, here and on every host of the project.",
        "vitrify store collect --unreleased": "Also images that were baked, pulled or loaded, and never released.",
    },
    exits=(Exit.HOSTS_FAILED, Exit.BUSY, Exit.INTEGRITY),
)
@flag("-n", "--dry-run", is_flag=True, help="Tell what would go, and take nothing away.")
@flag("--unreleased", is_flag=True, help="Also images that no release ever had, unless they are pinned.")
@shared("project", "wait")
def collect(invocation: Invocation, *, dry_run: bool, unreleased: bool) -> Exit:
    """Take away what no release needs any more: images of releases that are discarded or aborted, their layers and evidence, and where
    they were unpacked on the project's hosts. What is live, warm, kept by `retain`, under an open operation, pinned, or run by any instance
    stays. This happens by itself when a rollout has ended.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.collect(dry_run=dry_run, unreleased=unreleased)
    invocation.screen.show(lambda: documents.collected(found, dry_run=dry_run), lambda look: collected_lines(found, look, dry_run=dry_run))
    return Exit.HOSTS_FAILED if any(one.problem for one in found) else Exit.DONE


@verb(
    "pin",
    examples={
        "vitrify store pin web --reason 'audit 2026'": "The image that was baked last for web stays, whatever becomes of its releases.",
        "vitrify store pin sha256:ab12 --until 2033-01-01 --reason 'tax law'": "And nobody takes that back before then.",
    },
    exits=(Exit.INTEGRITY,),
)
@click.argument("image")
@flag("--reason", metavar="TEXT", default="", help="Why; it is recorded in the ledger.")
@flag("--until", metavar="DATE", default="", help="The pin cannot be taken back before this day (UTC): 2033-01-01.")
@shared("project")
def pin(invocation: Invocation, image: str, reason: str, until: str) -> Exit:
    """Keep IMAGE (a digest, the first digits of one, or a server) whatever becomes of its releases. With --until its files are made
    immutable where the file system and our rights allow that. The date can be moved on, never back. Root can still do anything.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.pin(image, reason=reason, until=_seconds(until) if until else 0.0)
    invocation.screen.show(lambda: documents.pins([found]), lambda look: pin_lines([found], look))
    return Exit.DONE


@verb(
    "unpin",
    examples={"vitrify store unpin sha256:ab12 --reason 'the audit is over'": "It goes with the last release that has it."},
    exits=(Exit.DENIED, Exit.INTEGRITY),
)
@click.argument("image")
@flag("--reason", metavar="TEXT", default="", help="Why; it is recorded in the ledger.")
@shared("project")
def unpin(invocation: Invocation, image: str, reason: str) -> Exit:
    """Take back this project's pin on IMAGE. Exit 5 before the date until which it was pinned."""
    found = invocation.app.unpin(image, reason=reason)
    invocation.screen.show(lambda: documents.pins([found]), lambda look: pin_lines([found], look))
    return Exit.DONE


@verb("pins", examples={"vitrify store pins": "Every pinned image: until when, by whom and why."}, exits=(Exit.INTEGRITY,))
@shared("project")
def pins(invocation: Invocation) -> Exit:
    """List the pinned images of all projects on this machine."""
    found = invocation.app.pins()
    invocation.screen.show(lambda: documents.pins(found), lambda look: pin_lines(found, look))
    return Exit.DONE


@verb(
    "check",
    examples={
        "vitrify store check": "Read every byte of the store, and of what was unpacked from it here.",
        "vitrify store check --repair": "And remove what is bad where it can be made again.",
        "vitrify store check --hosts": "And read what this project's hosts keep, each over its own connection.",
    },
    exits=(Exit.UNREACHABLE, Exit.BUSY, Exit.INTEGRITY),
)
@flag("--hosts", is_flag=True, help="Also what this project's other hosts keep: read there, and nothing of it removed.")
@flag("--repair", is_flag=True, help="Remove what is bad and can be made again: by a bake, a pull, or the next launch.")
@shared("project")
def check(invocation: Invocation, *, repair: bool, hosts: bool) -> Exit:
    """Compare every blob of the image store with its digest, the index with the blobs, and every unpacked image of this project on this
    machine with its layers. Exit 8 where something differs, naming it and what uses it. With --repair only what nothing that is pinned or
    kept needs, or what is a copy of something whole, is removed.
    """  # noqa: D205  the whole paragraph is the help
    found = invocation.app.check_store(repair=repair, hosts=hosts)
    invocation.screen.show(lambda: documents.store_checked(found), lambda _: checked_lines(found))
    if found.bad:
        first, *more = found.bad
        raise IntegrityFailed(
            f"{first.what} is not as it should be",
            why=f"{first.why}{f', and {len(more)} more' if more else ''}",
            hint="find out what changed it; `vitrify store check --repair` removes what can be made again",
        )
    return Exit.DONE


def _seconds(day: str) -> float:
    try:
        return datetime.strptime(day, "%Y-%m-%d").replace(tzinfo=UTC).timestamp()
    except ValueError:
        raise UsageInvalid(f"{day!r} is not a day", hint="as in --until 2033-01-01") from None


for _one in (collect, pin, unpin, pins, check):
    store.add_command(_one)
