"""Packages that are behind, as a person reads them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.text import BLANK, Line, Span, Style, faint, line, strong, table
from vitrify.core.amounts import ago, many
from vitrify.core.report import Behind, Outdated

if TYPE_CHECKING:
    from vitrify.cli.render import Look


def outdated_lines(rows: Sequence[Outdated], look: Look) -> Iterator[Line]:
    """Each host, how far it is behind, and a table of the packages."""
    if not rows:
        yield line("No servers are declared.")
    for number, row in enumerate(rows):
        if number:
            yield BLANK
        yield line(strong(row.server), " on ", Span(row.host, Style.PLACE), faint(f"  {row.lifecycle}"))
        if row.problem:
            yield line("  ", Span("problem ", Style.ALARM), row.problem)
            continue
        yield from (line("  ", part) for part in _standing(row, look))
        if row.packages:
            cells = [_package(package, look) for package in row.packages]
            headings = ("package", "installed", "offered", "kind", "patch", "from")
            yield from (line("  ", *each) for each in table(headings, cells, width=look.width - 2 if look.width else None))


def _standing(row: Outdated, look: Look) -> Iterator[str | Span]:
    image = row.lifecycle == "immutable"
    if image:
        made = f"its image was made {ago(look.now - row.made_at)} ago" if row.made_at is not None else "no release is live yet"
        yield f"{made}; its packages change with the next release alone"
    if row.manager:
        yield from _behind(row, look)
        yield from (_of_an_image(row, look) if image else _of_a_host(row, look))
    elif not image:
        yield "there is no package manager that is known here"


def _behind(row: Outdated, look: Look) -> Iterator[str | Span]:
    security = sum(package.security for package in row.packages)
    behind = f"{many(len(row.packages), 'package')} behind" if row.packages else "no package is behind"
    yield Span(f"{behind}, {security} for security", Style.ALARM) if security else behind
    newest = max((package.published_at for package in row.packages if package.published_at is not None), default=None)
    if newest is not None:
        yield f"the newest patch is {ago(look.now - newest)} old"


def _of_an_image(row: Outdated, look: Look) -> Iterator[str | Span]:
    if row.patched_at is not None:
        yield f"what it installs was chosen {ago(look.now - row.patched_at)} ago"
    if row.packages:
        yield f"`vitrify update {row.server}` pins what is offered; the next apply is a new release of it"


def _of_a_host(row: Outdated, look: Look) -> Iterator[str | Span]:
    if row.patched_at is not None:
        yield f"packages last changed {ago(look.now - row.patched_at)} ago"
    if row.lists_at is None:
        yield Span("its lists of packages were never renewed: nobody can tell", Style.CHANGED)
    else:
        yield f"as its lists said {ago(look.now - row.lists_at)} ago"


def _package(package: Behind, look: Look) -> tuple[str | Span, ...]:
    kind = Span("security", Style.ALARM) if package.security else Span("held", Style.CHANGED) if package.held else faint("-")
    if package.security and package.held:
        kind = Span("security, held", Style.ALARM)
    age = ago(look.now - package.published_at) if package.published_at is not None else "-"
    return strong(package.name), package.installed, package.candidate, kind, age, ", ".join(package.origins)
