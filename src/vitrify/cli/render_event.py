"""An event as one line for a person."""

from __future__ import annotations

from vitrify.cli.text import Line, Span, Style, faint, line
from vitrify.core.event import Event, Stage

_SYMBOLS = {
    "create": Span("  +", Style.ADDED),
    "update": Span("  ~", Style.CHANGED),
    "replace": Span("-/+", Style.CHANGED),
    "remove": Span("  -", Style.REMOVED),
}
_STAGES = {
    Stage.STARTED: faint("..."),
    Stage.PROGRESS: faint("..."),
    Stage.DONE: Span(" ok", Style.ADDED),
    Stage.FAILED: Span("  x", Style.ALARM),
    Stage.NOTICE: Span("  !", Style.CHANGED),
}


def event_line(event: Event) -> Line:
    """Symbol, what happens, to what, and the detail: `  + create file:/etc/motd  done`."""
    action = str(event.data.get("action", ""))
    symbol = _SYMBOLS.get(action, _STAGES[event.stage]) if event.stage is Stage.DONE else _STAGES[event.stage]
    what = f"{action:7}" if action else _what(event)
    place = " on ".join(str(event.data[key]) for key in ("server", "host") if event.data.get(key))
    return line(symbol, f" {what} ", Span(event.subject), f" of {place}" if place else "", *_ending(event))


def event_name(event: Event) -> str:
    """What happens and to what, in a few words: `switch web`."""
    return f"{event.data.get('action') or _what(event)} {event.subject}"


def _what(event: Event) -> str:
    """The name of the event, without its stage: that is told by the symbol and the last word."""
    return event.what.removesuffix(".start").removesuffix(".done").replace(".", " ")


def _ending(event: Event) -> Line:
    """How it ended. Of a failure its first line: the report below tells all of it."""
    word = {Stage.DONE: "done", Stage.FAILED: "failed"}.get(event.stage, "")
    style = Style.ALARM if event.stage is Stage.FAILED else Style.FAINT
    told = ": ".join(
        part for part in (word if event.stage is Stage.FAILED or not event.detail else "", event.detail.partition("\n")[0]) if part
    )
    return (Span(f"  {told}", style),) if told else ()
