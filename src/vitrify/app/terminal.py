"""Runs a program at the terminal that vitrify itself was started at: it has the keyboard until it ends."""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Sequence

from vitrify.core.diagnostic import TargetFailed

AS_ROOT = ("sh", "-c", 'test "$(id -u)" = 0 && exec "$@"; exec sudo -- "$@"', "sh")
"""What goes before words that root of another machine has to run, whoever logs in there."""


def at_terminal(argv: Sequence[str]) -> int:
    """How the program ended; a signal as the shell counts it. What is typed to interrupt it interrupts it alone."""
    # A function, not SIG_IGN: that one the program would inherit.
    former = signal.signal(signal.SIGINT, _leave_it_alone)
    try:
        ended = subprocess.run(argv, check=False).returncode
    except OSError as error:
        raise TargetFailed(f"{argv[0]} cannot be started", why=str(error.strerror)) from error
    finally:
        signal.signal(signal.SIGINT, former)
    return ended if ended >= 0 else 128 - ended


def _leave_it_alone(*_: object) -> None:
    return
