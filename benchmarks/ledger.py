"""How fast the ledger takes entries, and how fast a stranger verifies it: `python benchmarks/ledger.py [APPENDS [ENTRIES]]`.

Every append is one entry with its own signed checkpoint, durable when it returns. Beside it, in the same run and the same
folder (TMPDIR names it): the least that any such append could cost, which is its files written, synced and renamed, and nothing else.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from vitrify.core.digest import JSONObject
from vitrify.ledger.checkpoint import Checkpoint
from vitrify.ledger.entry import Entry
from vitrify.ledger.keys import generate
from vitrify.ledger.log import Log
from vitrify.ledger.rebuild import Found, rebuild
from vitrify.ledger.tree import leaf, root
from vitrify.ledger.verify import Kept, Policy, verify
from vitrify.stores.directory import DirectoryLedgerStore

ORIGIN = "vitrify.dev/ledger/0123456789abcdef"
SIGNER = generate("bench@here")
TRUST = Policy((str(SIGNER.verifier),))


class Clock:
    """The machine's clock."""

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time()


def body(number: int) -> JSONObject:
    """About as much as a change records."""
    return {"operation": f"op-{number:08d}", "server": "web", "address": "file:/etc/motd", "digest": "sha256:" + f"{number:064x}"}


def timed(act: Callable[[int], object], times: int) -> str:
    """Median, 99th percentile and longest of one call, in milliseconds."""
    took = []
    for number in range(times):
        begun = time.perf_counter()
        act(number)
        took.append((time.perf_counter() - begun) * 1000)
    took.sort()
    return f"{took[times // 2]:.2f} | {took[times * 99 // 100]:.2f} | {took[-1]:.2f}"


def floor(folder: Path) -> Callable[[int], None]:
    """The writes of one append without the ledger: four small files, three folders."""

    def write(number: int) -> None:
        for name, size in ((f"a/{number}", 30_000), (f"b/{number}", 4_000), ("state", 200), ("checkpoint", 200)):
            new = folder / ".new"
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.write(descriptor, b"x" * size)
            os.fsync(descriptor)
            os.close(descriptor)
            new.replace(folder / name)
            for below in {f"b/{number}": ("a", "b"), "state": (".",)}.get(name, ()):
                opened = os.open(folder / below, os.O_RDONLY)
                os.fsync(opened)
                os.close(opened)

    (folder / "a").mkdir()
    (folder / "b").mkdir()
    return write


def appends(times: int, folder: Path) -> Sequence[str]:
    """The rows of the first table."""
    log = Log(DirectoryLedgerStore(folder / "ledger"), origin=ORIGIN, signer=SIGNER, clock=Clock())
    bare = folder / "bare"
    bare.mkdir()
    least = floor(bare)
    first = timed(lambda number: log.append("change.done", body(number)), times)
    then = timed(least, times)
    return (f"| append, {times:,} one by one | {first} |", f"| its files written, synced and renamed, and nothing else | {then} |")


def whole(entries: int, folder: Path) -> Sequence[str]:
    """The rows of the second table."""
    store = DirectoryLedgerStore(folder / "large")
    texts = {
        number: Entry(number, "2026-02-03T04:05:06.789Z", SIGNER.name, "change.done", body(number)).encode() for number in range(entries)
    }

    def note(size: int) -> Checkpoint:
        return Checkpoint(ORIGIN, size, root([leaf(texts[number]) for number in range(size)]))

    old = SIGNER.sign(note(entries - 1_000).text())
    head = note(entries)
    rebuild(store, Found(head, SIGNER.sign(head.text()), texts))
    texts.clear()
    rows = []
    for told, kept in (("from scratch, every byte", Kept()), ("from a checkpoint 1,000 entries ago", Kept(proved=old))):
        begun, used = time.perf_counter(), time.process_time()
        seen = verify(store.read, trust=TRUST, origin=ORIGIN, kept=kept, paths=store.paths(""))
        if seen.problems or seen.size != entries:
            raise SystemExit(f"the ledger does not hold: {seen}")
        rows.append(f"| verify {entries:,} {told} | {time.perf_counter() - begun:.2f} | {time.process_time() - used:.2f} |")
    return rows


def main() -> None:
    """Measure ledgers of the sizes asked for."""
    asked = [int(word) for word in sys.argv[1:]]
    times, entries = (*asked, *(2_000, 1_000_000)[len(asked) :])
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        lines = ["| | median ms | p99 ms | longest ms |", "|---|---|---|---|", *appends(times, folder), ""]
        lines += ["| | seconds | of which our own CPU |", "|---|---|---|", *whole(entries, folder)]
    sys.stdout.write("\n".join(lines) + "\n")


if __name__ == "__main__":
    main()
