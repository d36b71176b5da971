"""How many of 20,000 creations a watch puts a name to, and what it costs: `python benchmarks/audit/watch.py` (needs root).

A program that is not ours creates the files as fast as it can, while the listener that a host runs reads the kernel's records. Every
rule is taken away again.
"""

from __future__ import annotations

import os
import platform
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

from vitrify.core.event import Event
from vitrify.core.resource import Kinds
from vitrify.onhost.context import Context
from vitrify.onhost.watching import GAP, RUNG, TOUCHED, watch

FILES = 20_000
IDLE = 10.0
WRITER = """
import os, sys
for number in range(int(sys.argv[2])):
    os.close(os.open(f"{sys.argv[1]}/{number}", os.O_CREAT | os.O_WRONLY))
"""


class Heard:
    """What the listener told."""

    def __init__(self) -> None:
        self.rung = ""
        self.gaps: list[str] = []
        self.by: dict[str, object] = {}
        self.standing = threading.Event()

    def take(self, event: Event) -> None:
        """One event."""
        if event.what == RUNG:
            self.rung = event.subject
            self.standing.set()
        elif event.what == GAP:
            self.gaps.append(event.detail)
        elif event.what == TOUCHED:
            told = event.data["touches"]
            for touch in told if isinstance(told, list) else ():
                if isinstance(touch, dict):
                    self.by[str(touch["path"])] = touch.get("pid")


def write(folder: Path) -> tuple[int, float]:
    """Create the files; which process did, and in how many seconds."""
    folder.mkdir(exist_ok=True)
    begun = time.monotonic()
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(folder), str(FILES)])
    writer.wait()
    return writer.pid, time.monotonic() - begun


def measure(folder: Path) -> None:
    """One run, printed."""
    heard, (hears, ends) = Heard(), os.pipe()
    context = Context(heard.take, lambda _: b"", lambda _: None, Kinds([]), time.time, channel=hears)
    arguments = {"scope": {"target": "folder", "root": str(folder)}, "folders": ["/app"], "files": []}
    listener = threading.Thread(target=watch, args=(context, arguments))
    listener.start()
    heard.standing.wait()
    before = time.process_time()
    time.sleep(IDLE)
    idle = time.process_time() - before
    begun = time.monotonic()
    writer, wrote = write(folder / "app")
    while len(heard.by) < FILES and time.monotonic() - begun < wrote + 10:
        time.sleep(0.01)
    told = time.monotonic() - begun
    used = time.process_time() - before - idle
    os.close(ends)
    listener.join()
    right = sum(pid == writer for pid in heard.by.values())
    print(f"stands on {heard.rung}; idle: {idle * 1000 / IDLE:.2f} ms of a processor a second")
    print(f"{FILES} creations in {wrote:.2f} s, all that was heard by {told:.2f} s: {right} with the right process, {len(heard.gaps)} gaps")
    print(f"the listener's own processor time: {used:.2f} s")


if __name__ == "__main__":
    print(f"{platform.machine()}, {os.cpu_count()} processors, Linux {platform.release()}, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory(dir="/var/tmp") as place:
        (Path(place) / "app").mkdir()
        print(f"{FILES} creations that nobody hears: {write(Path(place) / 'unheard')[1]:.2f} s")
        measure(Path(place))
