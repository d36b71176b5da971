"""The screen: the only file that prints. Data goes to stdout, everything else to stderr, and nothing hostile to either."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TYPE_CHECKING, TextIO

from vitrify.cli.text import Line, faint, moment, painted
from vitrify.core.event import Event, Stage

if TYPE_CHECKING:
    from vitrify.cli.render_live import Live
    from vitrify.core.digest import JSONObject

EVENT_SCHEMA = "vitrify.dev/event/v1"


class Format(Enum):
    """The form that data has on stdout."""

    TABLE = "table"
    JSON = "json"
    YAML = "yaml"
    NDJSON = "ndjson"


@dataclass(frozen=True)
class Settings:
    """What the flags said about output. `color` is auto, always or never."""

    format: Format = Format.TABLE
    color: str = "auto"
    quiet: bool = False
    verbose: int = 0


@dataclass(frozen=True)
class Streams:
    """Where a command reads and writes."""

    stdin: TextIO
    stdout: TextIO
    stderr: TextIO


@dataclass(frozen=True)
class Look:
    """What a renderer has to know: how much to tell, how wide the screen is (None: no screen), and what time it is."""

    verbose: int
    width: int | None
    now: float


class Screen:
    """One command's output. Never raises because a reader went away: what is being done must not stop for that."""

    def __init__(self, streams: Streams, settings: Settings, *, environ: Mapping[str, str], clock: Callable[[], float]) -> None:
        self._streams = streams
        self._settings = settings
        self._environ = environ
        self._clock = clock
        self._live: Live | None = None
        self._gone: set[TextIO] = set()
        self._dated = False

    def date(self) -> None:
        """From now on an event's line begins with its time, for a log that somebody reads later; the journal dates lines itself."""
        self._dated = not self._environ.get("JOURNAL_STREAM")

    # -- data ----------------------------------------------------------------------------------------------------

    def show(self, document: Callable[[], JSONObject], lines: Callable[[Look], Iterable[Line]]) -> None:
        """Put a result on stdout, in the form asked for; the other form is not computed."""
        if self._settings.format is Format.TABLE:
            self._lines(self._streams.stdout, lines(self._look(self._streams.stdout)))
        else:
            self._write(self._streams.stdout, _serialised(document(), self._settings.format))

    def preview(self, document: Callable[[], JSONObject], lines: Callable[[Look], Iterable[Line]]) -> None:
        """Show what is about to be done. A stdout that holds one JSON or YAML document is kept for the result."""
        if self._settings.format in (Format.TABLE, Format.NDJSON):
            self.show(document, lines)
        elif not self._settings.quiet:
            self._lines(self._streams.stderr, lines(self._look(self._streams.stderr)))

    # -- what happens meanwhile ----------------------------------------------------------------------------------

    def emit(self, event: Event) -> None:
        """Tell of an event: one JSON line, a moving line on a terminal, or one line for each change."""
        if self._settings.format is Format.NDJSON:
            self._write(self._streams.stdout, _serialised({"schema": EVENT_SCHEMA, **event.to_json()}, Format.NDJSON))
            return
        from vitrify.cli.render_event import event_line, event_name

        of_a_fleet = self._of_a_fleet(event)
        if of_a_fleet:
            self._lively().host(event)
        if self._to_be_told(event) and not (of_a_fleet and event.stage is Stage.DONE):
            self._permanent((*self._date(), *event_line(event)))
            if self._live and event.stage is Stage.DONE:
                self._live.turn(f"... after {event_name(event)}")
        elif of_a_fleet:
            return
        elif event.stage in (Stage.STARTED, Stage.PROGRESS) and self._moving():
            self._lively().turn(painted(event_line(event)[1:], colour=self._coloured(self._streams.stderr)))

    def say(self, *lines: Line) -> None:
        """A remark on stderr; -q silences it."""
        if not self._settings.quiet:
            self._lines(self._streams.stderr, lines)

    def fail(self, error: BaseException, *, folder: str = ".") -> None:
        """What went wrong, where, why and what to do next; a document where documents were asked for."""
        from vitrify.cli import render_error

        self.close()
        if self._settings.format is not Format.TABLE:
            form = Format.YAML if self._settings.format is Format.YAML else Format.NDJSON
            self._write(self._streams.stderr, _serialised(render_error.document(error), form))
        else:
            self._lines(self._streams.stderr, render_error.lines(error, folder=folder, width=self._look(self._streams.stderr).width))
        if self._environ.get("GITHUB_ACTIONS"):
            self._write(self._streams.stderr, "".join(f"{each}\n" for each in render_error.workflow_commands(error)))

    def close(self) -> None:
        """End what moves; repeating it is harmless."""
        if self._live:
            self._live.end()
            self._live = None

    # -- questions -----------------------------------------------------------------------------------------------

    @property
    def interactive(self) -> bool:
        """Whether somebody is there to answer a question."""
        return self._streams.stdin.isatty() and self._streams.stderr.isatty() and not self._environ.get("CI")

    def ask(self, question: str) -> bool:
        """Put a yes-or-no question; everything but a yes is a no."""
        self._write(self._streams.stderr, f"{question} [y/N] ")
        answer = self._streams.stdin.readline()
        if not answer.endswith("\n"):
            self._write(self._streams.stderr, "\n")
        return answer.strip().lower() in {"y", "yes"}

    def _date(self) -> Line:
        return (faint(f"{moment(self._clock())} "),) if self._dated else ()

    # -- the streams ---------------------------------------------------------------------------------------------

    def _look(self, stream: TextIO) -> Look:
        return Look(self._settings.verbose, _width(stream, self._environ), self._clock())

    def _coloured(self, stream: TextIO) -> bool:
        if self._settings.color != "auto":
            return self._settings.color == "always"
        if self._environ.get("NO_COLOR"):
            return False
        if self._environ.get("FORCE_COLOR", "0") != "0":
            return True
        return stream.isatty() and self._environ.get("TERM") != "dumb"

    def _to_be_told(self, event: Event) -> bool:
        if event.what == "host":  # its end is told by the report, with all that belongs to it
            return False
        if event.stage is Stage.FAILED:
            return True
        lasting = event.stage in (Stage.DONE, Stage.NOTICE)
        return not self._settings.quiet and (lasting or self._settings.verbose > 0)

    def _of_a_fleet(self, event: Event) -> bool:
        """Whether a table of hosts shows this: a line for each change on each of many hosts is more than anybody reads."""
        return "host" in event.data and event.stage is not Stage.NOTICE and not self._settings.verbose and self._moving()

    def _moving(self) -> bool:
        """Whether stderr is a terminal on which a line may be redrawn."""
        still = self._settings.quiet or self._environ.get("TERM") == "dumb" or bool(self._environ.get("CI"))
        return self._streams.stderr.isatty() and not still

    def _lively(self) -> Live:
        if self._live is None:
            from vitrify.cli.render_live import Live

            self._live = Live(self._streams.stderr, colour=self._coloured(self._streams.stderr))
        return self._live

    def _permanent(self, told: Line) -> None:
        if self._live:
            self._live.above(painted(told, colour=self._coloured(self._streams.stderr)))
        else:
            self._lines(self._streams.stderr, (told,))

    def _lines(self, stream: TextIO, lines: Iterable[Line]) -> None:
        colour = self._coloured(stream)
        self._write(stream, "".join(f"{painted(each, colour=colour)}\n" for each in lines))

    def _write(self, stream: TextIO, text: str) -> None:
        self.close()
        if stream in self._gone:
            return
        try:
            stream.write(_encodable(text, stream.encoding))
            stream.flush()
        except BrokenPipeError:
            self._gone.add(stream)
            _discard_what_is_buffered(stream)


def _serialised(document: JSONObject, form: Format) -> str:
    # Escaped to ASCII: a terminal that shows a document obeys nothing that the document quotes.
    if form is Format.YAML:
        return _yaml(document)
    if form is Format.NDJSON:
        return json.dumps(document, separators=(",", ":")) + "\n"
    return json.dumps(document, indent=2) + "\n"


def _yaml(document: JSONObject) -> str:
    import yaml

    fast = getattr(yaml, "CSafeDumper", yaml.SafeDumper)
    try:
        return str(yaml.dump(document, Dumper=fast, sort_keys=False, allow_unicode=False))
    except UnicodeEncodeError:
        # libyaml knows no half of a surrogate pair, which is how Python spells a file name that is not UTF-8.
        return str(yaml.dump(document, Dumper=yaml.SafeDumper, sort_keys=False, allow_unicode=False))


def _encodable(text: str, encoding: str | None) -> str:
    encoding = encoding or "utf-8"
    return text.encode(encoding, "backslashreplace").decode(encoding)


def _width(stream: TextIO, environ: Mapping[str, str]) -> int | None:
    if environ.get("COLUMNS", "").isdecimal():  # somebody says so, terminal or not
        return int(environ["COLUMNS"]) or None
    if not stream.isatty():
        return None
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def _discard_what_is_buffered(stream: TextIO) -> None:
    """Let the interpreter's last flush succeed: there is nobody to complain to."""
    try:
        descriptor = stream.fileno()
    except (OSError, ValueError):
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, descriptor)
    os.close(nowhere)
