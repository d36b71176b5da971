"""Images as a person reads them: what is kept, and what was moved where."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.text import Line, Span, Style, faint, line, table
from vitrify.core.amounts import size
from vitrify.core.image_report import ImageKept, ImageMoved

if TYPE_CHECKING:
    from vitrify.cli.render import Look

_HEADINGS = ("IMAGE", "SIZE", "BASE", "SERVER", "RELEASES", "NAMES")


def image_lines(found: Sequence[ImageKept], look: Look) -> list[Line]:
    """A row for each image."""
    rows = [
        (
            one.image if look.verbose else one.image[:19],
            size(one.size),
            one.base or "-",
            one.server or "-",
            ", ".join(one.releases) or "-",
            ", ".join(one.names) or "-",
        )
        for one in found
    ]
    return table(_HEADINGS, rows, width=look.width) or [line(faint("There is no image here yet."))]


def moved_lines(found: ImageMoved, verb: str) -> Iterator[Line]:
    """The image, and where it is now."""
    yield line(f"{found.image}  {size(found.moved_bytes)} {verb}")
    if found.manifest != found.image:
        yield line("  ", Span(found.place, Style.PLACE), f" is {found.manifest}")
