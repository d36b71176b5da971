"""The image store as a person reads it: what went, what is pinned, what is bad."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from vitrify.cli.text import Line, Span, Style, faint, line, table
from vitrify.core.amounts import size

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.retention import Collected, Pin
    from vitrify.core.store_report import StoreChecked


def collected_lines(found: Sequence[Collected], look: Look, *, dry_run: bool) -> Iterator[Line]:
    """A line for each place that gives something up, and each image with -v."""
    verb = "would go" if dry_run else "gone"
    shown = [one for one in found if one.problem or not one.nothing]
    for one in shown:
        if one.problem:
            yield line(Span(one.place, Style.PLACE), f": {one.problem}")
            continue
        roots = f", {len(one.roots)} unpacked" if one.roots else ""
        yield line(Span(one.place, Style.PLACE), f": {verb}: {len(one.images)} images, {one.blobs} blobs{roots}, {size(one.size)}")
        for image in dict.fromkeys((*one.images, *one.roots)) if look.verbose else ():
            yield line(faint(f"  {image}"))
    if not shown:
        yield line(faint("There is nothing that no release needs."))


def pin_lines(found: Sequence[Pin], look: Look) -> list[Line]:
    """A row for each pin."""
    rows = [
        (
            one.image if look.verbose else one.image[:19],
            datetime.fromtimestamp(one.until, UTC).strftime("%Y-%m-%d") if one.until else "-",
            one.by,
            one.reason,
        )
        for one in found
    ]
    return table(("IMAGE", "UNTIL", "BY", "REASON"), rows, width=look.width) or [line(faint("No image is pinned."))]


def checked_lines(found: StoreChecked) -> Iterator[Line]:
    """How much was read, and each thing that is bad with what uses it."""
    yield line(f"{found.blobs} blobs and {found.roots} unpacked images read, {size(found.size)}")
    for one in found.bad:
        yield line("  ", Span(one.what, Style.PLACE), f": {one.why}{', removed' if one.removed else ''}")
        for use in one.uses:
            yield line(faint(f"    used by {use}"))
