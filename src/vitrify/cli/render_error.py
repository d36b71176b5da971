"""Errors for a person, for a program and for a continuous-integration log."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from vitrify.cli.exits import exit_for
from vitrify.cli.text import BLANK, Line, Span, Style, columns, faint, line, prose, strong
from vitrify.core.amounts import many
from vitrify.core.diagnostic import DeclarationInvalid, Diagnostic, Location, VitrifyError
from vitrify.core.readable import neutral

if TYPE_CHECKING:
    from vitrify.core.digest import JSONObject

SCHEMA = "vitrify.dev/error/v1"


def lines(error: BaseException, *, folder: str = ".", width: int | None = None) -> Iterator[Line]:
    """Every problem: what (its place first, so that an editor can jump there), the line it is about, why, what to do next."""
    found = _diagnostics(error)
    for number, diagnostic in enumerate(found):
        if number:
            yield BLANK
        yield from _problem(diagnostic, folder=folder, width=width, quote=isinstance(error, DeclarationInvalid))
    if len(found) > 1:
        yield BLANK
        yield line(strong(f"{many(len(found), 'problem')} found; nothing was changed."))


def document(error: BaseException) -> JSONObject:
    """The error as `-o json` writes it to stderr."""
    diagnostics = [_json(diagnostic) for diagnostic in _diagnostics(error)]
    return {"schema": SCHEMA, "error": type(error).__name__, "exit": int(exit_for(error)), "diagnostics": [*diagnostics]}


def workflow_commands(error: BaseException) -> Iterator[str]:
    """The error in GitHub's workflow commands, which mark the line in a pull request."""
    for diagnostic in _diagnostics(error):
        where = diagnostic.where
        place = f" file={_property(where.file)},line={where.line},col={where.column}" if where else ""
        hint = f"hint: {diagnostic.hint}" if diagnostic.hint else ""
        message = "\n".join(part for part in (diagnostic.summary, diagnostic.why, hint) if part)
        yield f"::error{place}::{_message(message)}"


def _diagnostics(error: BaseException) -> tuple[Diagnostic, ...]:
    return error.diagnostics if isinstance(error, VitrifyError) else (Diagnostic(str(error) or type(error).__name__),)


def _problem(diagnostic: Diagnostic, *, folder: str, width: int | None, quote: bool) -> Iterator[Line]:
    first, *more = diagnostic.summary.split("\n")
    place = (Span(f"{diagnostic.where}: ", Style.PLACE),) if diagnostic.where else ()
    yield line(*place, Span("error:", Style.ALARM), " ", strong(first))
    yield from (line(f"  {each}") for each in more)
    if quote and diagnostic.where:
        yield from _excerpt(diagnostic.where, folder=folder, width=width or 120)
    for name, text in (("why", diagnostic.why), ("hint", diagnostic.hint)):
        for number, each in enumerate(text.split("\n") if text else ()):
            before = line("  ", faint(f"{name}:" if number == 0 else " " * (len(name) + 1)), " ")
            # A hint may be a command: where the terminal breaks it, it can still be copied whole.
            yield from prose(before, each, width=width if name == "why" else None)


def _excerpt(where: Location, *, folder: str, width: int) -> Iterator[Line]:
    """The declared line with a caret under the column; nothing where the file cannot be read (any more)."""
    source = _source(where, folder=folder)
    if source is None:
        return
    number = f"{where.line:5} | "
    room = max(width - len(number) - 1, 20)
    before = source[: where.column - 1]
    cut = max(len(before) - room // 2, 0) if columns(source) > room else 0
    shown = source[cut : cut + room]
    yield line(faint(number), shown)
    yield line(faint(f"{'':5} | "), " " * columns(before[cut:]), Span("^", Style.ALARM))


def _source(where: Location, *, folder: str) -> str | None:
    for path in (Path(where.file), Path(folder) / where.file):
        try:
            text = path.read_text(encoding="utf-8", errors="replace")
        except (OSError, ValueError):
            continue
        found = text.splitlines()
        return found[where.line - 1].replace("\t", " ") if 0 < where.line <= len(found) else None
    return None


def _json(diagnostic: Diagnostic) -> JSONObject:
    where = diagnostic.where
    place: JSONObject = {"where": {"file": where.file, "line": where.line, "column": where.column}} if where else {}
    parts = {"summary": diagnostic.summary, "why": diagnostic.why, "hint": diagnostic.hint}
    return {**{name: text for name, text in parts.items() if text}, **place}


def _message(text: str) -> str:
    escaped = text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")
    return neutral(escaped)


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
