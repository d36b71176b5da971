"""The figures in words, the same on a screen and on a page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence

from vitrify.core.amounts import ago, lasted, size
from vitrify.core.assess.figure import Figure, Known, Unknown
from vitrify.core.assess.measured import Measured

NOT_KNOWN = "?"
HEADINGS: Mapping[str, str] = {
    "drift": "a day",
    "unauthorised": "found",
    "patched": "patched",
    "change": "change",
    "back": "back",
    "extra": "extra",
    "size": "bytes",
    "opaque": "opaque",
}
"""Figure -> what stands above its column."""
LONG: Mapping[str, str] = {
    "drift": "unauthorised changes a day, on each host or instance",
    "unauthorised": "unauthorised changes",
    "patched": "since it was patched",
    "change": "time to change",
    "back": "time to go back",
    "extra": "instances more in a rollout",
    "size": "bytes of a change",
    "opaque": "share of change that is commands",
}
"""The same, spelt out."""


def _number(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".") or "0"


_SPOKEN: Mapping[str, Callable[[float], str]] = {
    "drift": _number,
    "unauthorised": _number,
    "patched": ago,
    "change": lasted,
    "back": lasted,
    "extra": lambda share: f"+{share:.0%}" if share else "none",
    "size": lambda count: size(round(count)),
    "opaque": lambda share: f"{share:.0%}",
}


def spoken(name: str, figure: Figure) -> str:
    """A figure in as few words as it needs."""
    return _SPOKEN[name](figure.value) if isinstance(figure, Known) else NOT_KNOWN


def cells(server: Measured) -> tuple[str, ...]:
    """The row of a server, without its name."""
    return tuple(spoken(name, figure) for name, figure in server.figures.items())


def reasons(servers: Sequence[Measured]) -> Iterator[str]:
    """Why figures are not known, each reason once: which figures, of which servers."""
    found: dict[tuple[str, tuple[str, ...]], list[str]] = {}
    for server in servers:
        lacking: dict[str, list[str]] = {}
        for name, figure in server.figures.items():
            if isinstance(figure, Unknown):
                lacking.setdefault(figure.why, []).append(HEADINGS[name])
        for why, names in lacking.items():
            found.setdefault((why, tuple(names)), []).append(server.server)
    for (why, which), whose in found.items():
        yield f"{', '.join(which)} of {', '.join(whose)}: not known, because {why}"


def beside(name: str, figure: Known) -> str:
    """What is known of a figure besides its value: how often it was measured, the longest, and what else was told."""
    often = f"{figure.times} measured" if figure.longest is not None else ""
    most = f"at most {_SPOKEN[name](figure.longest)}" if figure.longest is not None else ""
    return ", ".join(part for part in (often, most, figure.told) if part)
