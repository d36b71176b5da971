"""A report of an error that nobody foresaw: everything a maintainer needs, in a file, instead of on the screen."""

from __future__ import annotations

import os
import time
import traceback
from collections.abc import Mapping, Sequence
from pathlib import Path


def report(error: BaseException, *, arguments: Sequence[str], environ: Mapping[str, str], now: float) -> str:
    """Write the traceback to the state folder; returns its path, or why it could not be written."""
    try:
        folder = _state_home(environ) / "reports"
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        path = folder / f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(now))}-{os.getpid()}.txt"
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(_text(error, arguments))
    except OSError as refused:
        return f"no report could be written: {refused}"
    return f"a report is in {path}"


def _state_home(environ: Mapping[str, str]) -> Path:
    if chosen := environ.get("VITRIFY_HOME"):
        return Path(chosen).absolute()
    import platformdirs

    return platformdirs.user_data_path("vitrify")


def _text(error: BaseException, arguments: Sequence[str]) -> str:
    import platform

    from vitrify import __version__

    lines = [
        f"vitrify {__version__}, Python {platform.python_version()}, {platform.platform()}",
        f"arguments: {_without_values(arguments)}",
        "",
        *traceback.format_exception(error),
    ]
    return "\n".join(lines)


def _without_values(arguments: Sequence[str]) -> list[str]:
    """The arguments as given, but for what a variable was set to: that may be nobody's business."""
    return [f"{name}=..." if equals else name for name, equals, _ in (argument.partition("=") for argument in arguments)]
