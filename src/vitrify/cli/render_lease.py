"""Leases as a person reads them: one row for each server and host."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from vitrify.cli.text import Line, Span, Style, faint, line, moment, strong, table

if TYPE_CHECKING:
    from vitrify.cli.render import Look
    from vitrify.core.report import LeaseView


def lease_lines(leases: Sequence[LeaseView], look: Look) -> Iterator[Line]:
    """Who may change what now; of a server that is free, who had it last."""
    if not leases:
        yield line("There is no server.")
        return
    rows = [(strong(one.server), one.host, _state(one), one.by, _what(one), _when(one)) for one in leases]
    yield from table(("server", "host", "lease", "by", "for", "when"), rows, width=None if look.verbose else look.width)
    for one in leases:
        if one.problem:
            yield line(Span("  x ", Style.ALARM), f"{one.host}: {one.problem}")


def _state(one: LeaseView) -> Span:
    if one.problem:
        return Span("cannot tell", Style.ALARM)
    if one.standing:
        return Span(f"held, token {one.token}", Style.CHANGED)
    return faint(f"free, last token {one.token}" if one.token else "free")


def _what(one: LeaseView) -> str:
    process = f", process {one.process}" if one.process and one.standing else ""
    return f"{one.reason} {one.operation}".strip() + process


def _when(one: LeaseView) -> str:
    if not one.token:
        return ""
    return f"since {moment(one.since)}" + (f", until {moment(one.until)} unless renewed" if one.standing else "")
