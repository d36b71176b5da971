"""The program itself: how signals and closed pipes end it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys

import pytest

pytestmark = pytest.mark.e2e

WAITING = """
import asyncio, signal, sys, time
from vitrify.cli.main import main

# Whoever starts the tests in the background hands down that interruptions are ignored; a person at a terminal does not.
signal.signal(signal.SIGINT, signal.default_int_handler)

async def in_an_event_loop():
    print("waiting", flush=True)
    await asyncio.sleep(60)

def plainly():
    print("waiting", flush=True)
    time.sleep(60)

class Waiting:
    def __init__(self, scope, emit, environ):
        pass
    def status(self):
        try:
            {way}
        finally:
            print("clean", flush=True)
    def close(self):
        pass

sys.argv = ["vitrify", "status"]
main(Waiting)
"""
WAYS = {"plainly": "plainly()", "in an event loop": "asyncio.run(in_an_event_loop())"}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_signal_ends_the_program_after_a_clean_stop(number: signal.Signals, code: int, way: str) -> None:
    program = [sys.executable, "-c", WAITING.format(way=WAYS[way])]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"

    process.send_signal(number)
    out, err = process.communicate(timeout=20)

    assert process.returncode == code
    assert out == "clean\n"
    assert "Stopped." in err
    assert "Traceback" not in err


def test_a_termination_stops_cleanly_even_where_interruptions_are_ignored() -> None:
    program = [
        sys.executable,
        "-c",
        "import signal; signal.signal(signal.SIGINT, signal.SIG_IGN)\n" + WAITING.format(way=WAYS["in an event loop"]),
    ]
    process = subprocess.Popen(program, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "waiting\n"

    process.terminate()
    out, _ = process.communicate(timeout=20)

    assert process.returncode == 143
    assert out == "clean\n"


def test_a_closed_pipe_is_no_error() -> None:
    reading, writing = os.pipe()
    os.close(reading)

    done = subprocess.run([sys.executable, "-m", "vitrify", "version"], stdout=writing, stderr=subprocess.PIPE, text=True, check=False)

    os.close(writing)
    assert done.returncode == 0
    assert not done.stderr
