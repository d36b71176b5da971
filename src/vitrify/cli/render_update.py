"""What an update moves, as a person reads it."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import groupby
from typing import TYPE_CHECKING

from vitrify.cli.text import Line, Span, Style, faint, line, strong, table
from vitrify.core.amounts import many
from vitrify.core.image_report import Moved, Updated

if TYPE_CHECKING:
    from vitrify.cli.render import Look


def updated_lines(result: Updated, look: Look, *, dry_run: bool) -> Iterator[Line]:
    """A table for each base and each server, and what became of the lock."""
    if not result.servers:
        yield line("No immutable server installs anything that is chosen by others: there is nothing to pin.")
        return
    for subject, moves in groupby(result.moves, key=lambda move: move.subject):
        yield line(strong(subject))
        rows, width = [_row(move) for move in moves], look.width - 2 if look.width else None
        yield from (line("  ", *each) for each in table(("name", "pinned", "now", "kind"), rows, width=width))
    yield line(*_end(result, dry_run=dry_run))


def _row(move: Moved) -> tuple[str | Span, ...]:
    kind = Span("security", Style.ALARM) if move.security else faint("-")
    return strong(move.name), move.old or faint("-"), move.new or Span("goes", Style.CHANGED), kind


def _end(result: Updated, *, dry_run: bool) -> Iterator[str | Span]:
    chosen = f"for {', '.join(result.servers)}"
    if not result.moves:
        yield f"Nothing moves {chosen}."
        return
    security = sum(move.security for move in result.moves)
    told = f"{many(len(result.moves), 'thing')} {'would move' if dry_run else 'moved'} {chosen}"
    yield Span(f"{told}, {security} for security", Style.ALARM) if security else told
    yield "; vitrify.lock stays as it is." if dry_run else "; commit vitrify.lock. `vitrify plan` says what a rebuild does."
